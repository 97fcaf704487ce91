"""The state of the server: lightweight mode, resources, health, metrics and logs."""
