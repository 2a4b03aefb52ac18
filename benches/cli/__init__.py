"""The command `loaderbench`: a file for each command, named as it is.

A command is a module of this package. `main` imports it when it is called or when the commands are listed, so it
imports nothing at its top that takes long (torch, pandas, matplotlib, SQLAlchemy): its functions do. It has

``HELP``
    What it does, in a phrase of one line: in the list of commands, and above its own help.
``EXAMPLE``
    A command line that works, without the word ``loaderbench``, such as ``gate --base origin/main``.
``add_arguments(parser)``
    Declares its options. Those that say what is loaded come from
    `common_options.add(parser, "dataset", "num_workers", …)`; times, sizes, shares and lists are read by
    `option_types`.
``run(options) -> int``
    Does it and returns an `ExitCode` of the vocabulary. What stops it is raised: `main` prints RefusedError,
    MalformedError and OSError in a line and returns ``REFUSED``, and KeyboardInterrupt is ``INTERRUPTED``; a command
    catches these only where it has something to keep.
``PYTEST_OPTIONS`` (may be left out)
    ``"unknown"``: options that it does not declare are the benches' own, a list in ``options.pytest_options``.
    ``"all"``: it declares none, ``--help`` included; all are there.

`shared` holds what several commands need: these options, and `output`, which writes a command's files into a new
folder, prints its document and the path of its page.
"""
