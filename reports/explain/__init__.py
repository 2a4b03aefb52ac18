"""What explains a loader's pace: causes ranked by what they cost, growth, and what other settings would give."""
