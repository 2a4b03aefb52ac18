"""Frame to numbers: summary, intervals, effects, recommendation, significance."""
