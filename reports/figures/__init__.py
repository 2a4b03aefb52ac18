"""Numbers to pictures: style, panels, and a module for each group of figures."""
