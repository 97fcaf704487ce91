"""Reading one recording through PyAV: its pieces, its packets, their times, and what could not be read."""
