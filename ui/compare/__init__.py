"""The Compare tab: one recording through two variants."""
