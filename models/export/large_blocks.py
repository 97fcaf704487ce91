"""Memory of a megabyte and more goes back to the system as soon as it is free.

glibc maps large blocks one by one, and unmaps them when they are freed; but each time one is freed it raises what it calls large, up to
32 MB, and keeps smaller ones. A check that makes 281 weights float one after another then holds a gigabyte that nobody uses.
"""

from __future__ import annotations

import ctypes
import functools
import sys

#: glibc's name of the setting (malloc.h), and bytes from which a block is large. Setting it ends the raising.
_M_MMAP_THRESHOLD, _LARGE_BYTES = -3, 1 << 20


@functools.cache
def return_large_blocks() -> None:
    """Set it for this process, once; elsewhere than on glibc nothing is done, and nothing is needed."""
    if not sys.platform.startswith("linux"):
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
