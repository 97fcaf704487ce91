"""Graphs that others exported, rewritten as the CPU graph of a bundle: the same numbers, without PyTorch."""
