"""One command of the workshop as a subprocess with progress."""
