"""Scheduling: queue slots on the engine, the queues of recordings, and the disk space they take."""
