"""What every bundle shares with upstream: the rows of the prompt table, the layout of tokens.txt, the metadata of graphs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.bundle import SAMPLE_RATE_HZ
from engine.speech.features import Cmvn
from engine.tags import TextNorm

#: Rows of the embedding table that prompt a language and a text norm (``SenseVoiceSmall.lid_dict`` and ``textnorm_dict``).
PROMPT_LANGUAGE = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
PROMPT_TEXTNORM = {TextNorm.WITHITN: 14, TextNorm.WOITN: 15}

#: The prompt as ``bundle.json`` writes it.
PROMPT = {"language": PROMPT_LANGUAGE, "textnorm": {norm.value: row for norm, row in PROMPT_TEXTNORM.items()}}


#: In ``config.yaml`` of a checkpoint that nobody trained.
RANDOM_MARK = "random_weights"
LICENCE = "FunASR Model Open Source License Agreement (weights); Apache-2.0 (LightVoice code)"
RANDOM = "Random weights in SenseVoice-Small's shape: for measuring size, speed and memory. Its text means nothing."


def full_size_fields(*, name: str, description: str, is_random: bool, **own: Any) -> dict[str, Any]:
    """The fields of ``bundle.json`` for a SenseVoice-Small of full size; ``own`` are those that differ."""
    return {
        "name": name,
        "kind": "sensevoice-small",
        "version": "1",
        "title": name,
        "description": RANDOM if is_random else description,
        "weights": "random" if is_random else "trained",
        "licence": LICENCE,
        "languages": ["zh", "en", "yue", "ja", "ko"],
        "sample_rate": SAMPLE_RATE_HZ,
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        **own,
    }


def write_tokens(path: Path, pieces: Sequence[str]) -> None:
    """Write ``tokens.txt``: one ``<piece> <id>`` a line."""
    path.write_text("".join(f"{piece} {index}\n" for index, piece in enumerate(pieces)), encoding="utf-8")


def prompt_metadata() -> dict[str, str]:
    """The prompt rows under sherpa-onnx's metadata keys: ``lang_zh``, ``with_itn``, …"""
    rows = {f"lang_{language}": str(row) for language, row in PROMPT_LANGUAGE.items()}
    return rows | {"with_itn": str(PROMPT_TEXTNORM[TextNorm.WITHITN]), "without_itn": str(PROMPT_TEXTNORM[TextNorm.WOITN])}


def frontend_metadata(cmvn: Cmvn, *, lfr_m: int, lfr_n: int) -> dict[str, str]:
    """LFR and CMVN under sherpa-onnx's metadata keys; vectors are comma-separated."""
    return {
        "lfr_window_size": str(lfr_m),
        "lfr_window_shift": str(lfr_n),
        "neg_mean": ",".join(f"{value:.9g}" for value in cmvn.shift),
        "inv_stddev": ",".join(f"{value:.9g}" for value in cmvn.scale),
    }
