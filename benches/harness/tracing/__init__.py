"""When things happen to a batch and to a worker that starts, and the time breakdowns computed from that."""
