"""Tables to figures: style, panels, and a module for each group of kinds of figures."""
