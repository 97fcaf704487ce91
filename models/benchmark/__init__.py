"""Size, start, latency and memory of each precision, measured in fresh processes."""
