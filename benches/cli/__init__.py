"""The command `loaderbench`: one file a command; the options that describe what is loaded are declared once."""
