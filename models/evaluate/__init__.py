"""Bundles measured on recordings: error rates, tags, VAD, agreement of precisions."""
