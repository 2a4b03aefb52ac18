"""The measuring of `loaderbench gate` and `calibrate`: two revisions, measured in turns, block after block."""
