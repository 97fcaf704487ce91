"""Texts for recordings that have none: what Whisper base writes of them, kept where two ways of asking agree.

A base model's text is wrong in places, so a recording is transcribed twice: as it is, and a little faster with noise under it. Where both
texts are nearly the same they are believed. Runs on CTranslate2 (https://github.com/OpenNMT/CTranslate2), in whose format the
teacher's folder must be (``model.bin`` and ``tokenizer.json``).
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from tqdm import tqdm

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from models.starter.corpus import CorpusError, Utterance, normalize_english
from models.starter.room import play_at

log = logging.getLogger(__name__)
#: Two texts of a recording may differ by this character error rate.
MOST_DIFFERENCE = 0.05
_WINDOW_S, _HOP, _BINS = 30, 160, 80
_PROMPT = ("<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>")


def _log_mel(samples: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """Whisper's features of one 30 s window: (N,) -> (1, 80, 3000) float32."""
    import torch

    padded = torch.from_numpy(np.pad(samples, (0, max(0, _WINDOW_S * SAMPLE_RATE_HZ - len(samples))))[: _WINDOW_S * SAMPLE_RATE_HZ])
    spectrum = torch.stft(padded, 400, _HOP, window=torch.hann_window(400), return_complex=True)[:, :-1].abs() ** 2
    levels = torch.clamp(torch.from_numpy(filters) @ spectrum, min=1e-10).log10()
    return ((torch.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0)[None].numpy().astype(np.float32)


class Transcriber:
    """English recordings to Whisper's text."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        """CorpusError where the folder lacks ``model.bin`` or ``tokenizer.json``."""
        import ctranslate2
        from tokenizers import Tokenizer

        from models.starter.whisper import mel_filters

        missing = [name for name in ("model.bin", "tokenizer.json") if not (folder / name).is_file()]
        if missing:
            raise CorpusError(f"{folder} lacks {' and '.join(missing)}; transcribing takes Whisper base in CTranslate2's format")
        self._ctranslate2: Any = ctranslate2
        self._model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=threads)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._filters = mel_filters()

    def text(self, samples: np.ndarray) -> str:
        """What Whisper writes, in lower-case words; numbers stay digits and make the text unusable."""
        features = self._ctranslate2.StorageView.from_array(_log_mel(samples, self._filters))
        answer = self._model.generate(features, [list(_PROMPT)], beam_size=5)[0]
        return str(self._tokenizer.decode(answer.sequences_ids[0], skip_special_tokens=True)).strip()


def agreed_text(transcriber: Transcriber, samples: np.ndarray, rng: np.random.Generator) -> str | None:
    """The text of a recording, (N,) samples, if it is sure: None where two ways of asking differ or digits are in it."""
    first = transcriber.text(samples)
    spoilt = play_at(samples, 1.08)
    spoilt = spoilt + rng.normal(0, 0.05 * float(np.sqrt(np.mean(spoilt**2))), len(spoilt)).astype(np.float32)
    second = transcriber.text(spoilt)
    if re.search(r"\d", first) or not normalize_english(first):
        return None
    likeness = jiwer.cer(normalize_english(first), normalize_english(second) or " ")
    return normalize_english(first) if likeness <= MOST_DIFFERENCE else None


def transcribe_unlabelled(utterances: Iterable[Utterance], folder: Path, table: Path, *, threads: int = 2) -> dict[str, str]:
    """Write ``table`` (path, text) for those of the English training utterances that have no text; what is there already is kept."""
    known = read_texts(table)
    wanted = [u for u in utterances if u.text is None and u.language == "en" and u.split == "train" and str(u.path) not in known]
    if wanted:
        transcriber, rng = Transcriber(folder, threads=threads), np.random.default_rng(5)
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("a", encoding="utf-8", newline="") as handle:
            for utterance in tqdm(wanted, desc="transcribing", unit="clip", mininterval=10):
                text = agreed_text(transcriber, load_audio(utterance.path).samples, rng)
                known[str(utterance.path)] = text or ""
                handle.write(f"{utterance.path}\t{text or ''}\n")
                handle.flush()
    believed = {path: text for path, text in known.items() if text}
    log.info("%d of %d recordings without a text got one", len(believed), len(known))
    return believed


def read_texts(table: Path) -> dict[str, str]:
    """What was written so far: path to text, empty where it was not believed."""
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as handle:
        return {row[0]: row[1] for row in csv.reader(handle, delimiter="\t") if len(row) == 2}
