"""Names, folders and journals of the files that the engine writes."""
