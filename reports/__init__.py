"""What it means: records, statistics, figures and pages. Never imports torch."""
