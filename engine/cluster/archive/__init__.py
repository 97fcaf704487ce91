"""An archive of recordings, transcribed by many workers on Ray."""
