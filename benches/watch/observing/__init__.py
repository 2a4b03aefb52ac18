"""Inside the loops of a script: where torch tells of its loaders, what each wait was, what a worker is at."""
