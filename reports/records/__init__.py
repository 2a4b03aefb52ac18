"""Run files to one tidy frame: schema, files, frame."""
