"""Whole gates on this machine, an old revision of the gate and this one in turns, beside pytest-benchmark and asv."""
