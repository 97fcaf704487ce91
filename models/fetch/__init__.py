"""Models of the catalog, downloaded from their hubs."""
