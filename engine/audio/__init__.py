"""Recordings: from any container, rate and number of channels to float32 samples, mono, 16 kHz."""
