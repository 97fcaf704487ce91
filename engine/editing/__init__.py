"""A person's changes to a transcript: the values that say them, and the transcript that they make."""
