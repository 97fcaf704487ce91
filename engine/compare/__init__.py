"""One recording through two variants, and the distance of two texts."""
