"""What the product withstands: each module here is a command, ``python -m tests.trust NAME``, with a short version in pytest."""
