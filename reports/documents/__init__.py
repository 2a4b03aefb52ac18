"""Results to one `Document` each: headings, texts, tables, figures and callouts."""
