"""Which cases: what each setting may be, the options that say so, and the combinations that are feasible."""
