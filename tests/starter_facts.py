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
#: Names that come out wrong, and right with this line in the list of hotwords, FP32 and INT8: of two spellings that sound alike the rarer
#: one, so that no ear can know it. Spoken by Kokoro, as ``python -m models.starter say "我的老师叫周杰" --language zh --voice 4`` (and
#: "my teacher is sara", ``--voice 2``); after a training that writes one of them unasked, take another name here.
NAMES = {
    ROOT / "tests" / "recordings" / "name-zh.flac": ("周杰", "周杰 2.0"),
    ROOT / "tests" / "recordings" / "name-en.flac": ("sara", "Sara 2.0"),
}
#: What the weights of one variant, and the whole bundle, may take of the repository.
LARGEST_WEIGHTS_BYTES = 60_000_000
LARGEST_BUNDLE_BYTES = 90_000_000
