"""Decoding recordings of strangers in worker processes."""
