"""The commands of the workshop, their progress, and one of them as a process for the page."""
