"""Every visible word in both languages, and how numbers and errors are written."""
