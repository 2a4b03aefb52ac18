"""What the trials of ``loaderbench tune`` mean: the race that decides what is measured next, and its record."""
