"""What the instrument asks of the operating system: devices, processes, the machine, placement on cores."""
