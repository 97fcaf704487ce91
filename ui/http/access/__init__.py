"""Authentication: who may use the server, and who may manage its models."""
