"""The parts of the exported graph that are rewritten for CPUs."""
