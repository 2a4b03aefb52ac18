"""A `Document` to a terminal, to Markdown and to HTML."""
