"""The unit of every size in files and memory: a megabyte is 10^6 bytes."""

BYTES_PER_MB = 1_000_000
