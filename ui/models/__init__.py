"""The Models tab: installed bundles, and the workshop's jobs."""
