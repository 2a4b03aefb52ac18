"""What several commands share: options, the types that they are read as, and where the answer goes."""
