"""Loads the plugin, as a user would with ``-p``; pytest collects nothing in the two library directories."""

pytest_plugins = ["loaderbench.benches.harness.plugin"]
collect_ignore = ["datasets", "reports"]
