"""Methods of tuning a loader, and the datasets of known cost that they are compared on."""
