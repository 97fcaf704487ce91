"""Likeliest tokens of every frame → token sequences: CTC prefix beam search with hotwords and a language model."""
