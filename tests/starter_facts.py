"""What holds for the embedded bundle whichever training it comes from, in one place.

Its texts, spans, sizes and version change with every release. A test compares them with another way through the engine; where it
needs words, it takes those of the English example: two strings of digits, clearly spoken, with a pause between them.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "models" / "starter" / "bundle"
EXAMPLES = ROOT / "ui" / "examples"
#: The English example, and its two segments: as they are spoken, and as ITN writes them.
DIGITS = EXAMPLES / "digits-en.flac"
SPOKEN = ("three one four one five", "nine two six five three")
WRITTEN = ("31415", "92653")
#: What the weights of one variant, and the whole bundle, may take of the repository.
LARGEST_WEIGHTS_BYTES = 60_000_000
LARGEST_BUNDLE_BYTES = 90_000_000
