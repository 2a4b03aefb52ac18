"""The answer of ``loaderbench watch``: the verdict, the table of loaders, a section for each, and the ranks."""
