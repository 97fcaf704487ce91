"""What a bundle folder consists of, and adding to it."""
