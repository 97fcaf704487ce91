"""Inverse text normalization (ITN): number words → digits."""
