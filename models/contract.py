"""What every bundle shares with upstream: the rows of the prompt table, and the layout of tokens.txt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.tags import TextNorm

#: Rows of the embedding table that prompt a language and a text norm (``SenseVoiceSmall.lid_dict`` and ``textnorm_dict``).
PROMPT_LANGUAGE = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
PROMPT_TEXTNORM = {TextNorm.WITHITN: 14, TextNorm.WOITN: 15}

#: The prompt as ``bundle.json`` writes it.
PROMPT = {"language": PROMPT_LANGUAGE, "textnorm": {norm.value: row for norm, row in PROMPT_TEXTNORM.items()}}


def write_tokens(path: Path, pieces: Sequence[str]) -> None:
    """Write ``tokens.txt``: one ``<piece> <id>`` a line."""
    path.write_text("".join(f"{piece} {index}\n" for index, piece in enumerate(pieces)), encoding="utf-8")
