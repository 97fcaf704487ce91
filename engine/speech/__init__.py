"""Samples → features → speech spans → tokens and tags: VAD and ASR."""
