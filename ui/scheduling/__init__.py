"""Who runs when: places on the engine, the queue of recordings, and the room they take on disk."""
