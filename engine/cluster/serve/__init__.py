"""The engine on Ray Serve, its protocol and its client."""
