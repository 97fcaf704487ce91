"""One file a runtime: ``open_runtime(folder, model=…, threads=…)`` opens it on the material's folder and gives a :class:`Runtime`.

An adapter imports nothing but its own runtime and what that needs, and calls it as its documentation says; whatever it raises is
the reason that stands in the contender's row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """A runtime with its model open."""

    def recognize(self, samples: NDArray[np.float32]) -> str:
        """The text of a clip (N,) float32 at 16 kHz, in one piece, without VAD."""
        ...

    def transcribe(self, file: Path) -> int:
        """Decode, detect and recognize a long file: -> how many segments that were."""
        ...
