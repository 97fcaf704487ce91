"""Error rates of a bundle on the speakers and words that its training never heard, through the engine itself.

Digit strings and sentences go through the whole chain (decoding, VAD, recognition), as a person's recording would.
VAD is scored on labelled meeting extracts against their RTTM turns.
"""

from __future__ import annotations

import csv
import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from engine.audio import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.transcript import Transcript
from models.starter.corpus import Utterance, read_corpus

log = logging.getLogger(__name__)
BOOTSTRAPS = 1000
FRAME_MS = 10


def error_rate(references: Sequence[str], hypotheses: Sequence[str], *, characters: bool, seed: int) -> dict[str, float]:
    """WER or CER with a 95 % bootstrap interval over utterances."""
    process = jiwer.process_characters if characters else jiwer.process_words
    counts = []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        result = process(reference, hypothesis)
        errors = result.substitutions + result.deletions + result.insertions
        counts.append((errors, result.hits + result.substitutions + result.deletions))
    errors, lengths = np.array(counts, float).T
    draws = np.random.default_rng(seed).integers(0, len(counts), (BOOTSTRAPS, len(counts)))
    rates = errors[draws].sum(axis=1) / lengths[draws].sum(axis=1)
    low, high = np.percentile(rates, [2.5, 97.5])
    return {"rate": errors.sum() / lengths.sum(), "low": float(low), "high": float(high), "utterances": len(counts)}


def joined_strings(utterances: Sequence[Utterance], *, count: int, seed: int) -> list[tuple[str, Waveform]]:
    """Digit strings made of one held-out speaker's FSDD digits with pauses of 60 to 350 ms."""
    rng = random.Random(seed)
    speakers = sorted({utterance.speaker for utterance in utterances})
    strings = []
    for number in range(count):
        pool = [utterance for utterance in utterances if utterance.speaker == speakers[number % len(speakers)]]
        chosen = rng.sample(pool, rng.randint(3, 8))
        parts = []
        for utterance in chosen:
            parts += [load_audio(utterance.path).samples, np.zeros(int(SAMPLE_RATE_HZ * rng.uniform(0.06, 0.35)), np.float32)]
        strings.append((" ".join(str(utterance.text) for utterance in chosen), Waveform(np.concatenate(parts), name=f"joined-{number}")))
    return strings


def _words(transcript: Transcript) -> str:
    return transcript.text.lower().strip()


def _recognize(engine: Engine, audios: Sequence[Path | Waveform], precision: str, language: str = "auto") -> list[Transcript]:
    return [engine.transcribe(audio, precision=precision, itn=False, language=language) for audio in audios]


def _slice(
    engine: Engine, precision: str, pairs: list[tuple[str, Any]], *, characters: bool, seed: int
) -> tuple[dict[str, float], list[Transcript]]:
    transcripts = _recognize(engine, [audio for _, audio in pairs], precision)
    texts = [_words(transcript) for transcript in transcripts]
    if characters:
        texts = [text.replace(" ", "") if not text.isascii() else text for text in texts]
    return error_rate([text for text, _ in pairs], texts, characters=characters, seed=seed), transcripts


def vad_frames(rttm: Path, recording: str, frames: int) -> np.ndarray:
    """Speech or not per 10 ms frame from an RTTM file's turns: (frames,) bool."""
    truth = np.zeros(frames, bool)
    for line in rttm.read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if len(fields) >= 5 and fields[0] == "SPEAKER" and fields[1] == recording:
            start, length = float(fields[3]), float(fields[4])
            truth[round(start * 100) : round((start + length) * 100)] = True
    return truth


def vad_score(engine: Engine, data: Path, precision: str) -> dict[str, float] | None:
    """Frame F1, miss and false-alarm rates over the labelled extracts ``tst`` and ``sample``; None where they are absent."""
    folder = data / "pyannote_samples"
    if not (folder / "labels.tsv").is_file():
        return None
    truths, guesses = [], []
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as handle:
        paths = [row["path"] for row in csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)]
    for path in paths:
        stem = Path(path).stem
        rttms = [rttm for rttm in (folder / "rttm").glob("*.rttm") if any(line.split()[1:2] == [stem] for line in rttm.open())]
        if not rttms or not stem.startswith(("tst", "sample")):
            continue
        waveform = load_audio(folder / path)
        frames = int(waveform.duration_s * 100)
        guess = np.zeros(frames, bool)
        for span in engine.detect(waveform, precision=precision):
            guess[span.start_ms // FRAME_MS : span.end_ms // FRAME_MS] = True
        truths.append(vad_frames(rttms[0], stem, frames))
        guesses.append(guess)
    if not truths:
        return None
    truth, guess = np.concatenate(truths), np.concatenate(guesses)
    hits = int((truth & guess).sum())
    return {
        "f1": 2 * hits / (truth.sum() + guess.sum()),
        "miss": float((truth & ~guess).sum() / truth.sum()),
        "false_alarm": float((~truth & guess).sum() / max(1, (~truth).sum())),
        "seconds": len(truth) / 100,
    }


def evaluate(bundle: Path, data: Path, config: dict[str, Any], *, precisions: Sequence[str], report: Path | None) -> dict[str, Any]:
    """Score a bundle in each precision; prints a table and writes JSON where asked."""
    seed = config["seed"]
    test = [utterance for utterance in read_corpus(data, config) if utterance.split == "test"]
    ocean = [u for u in test if u.source == "speechocean762"]
    slices: dict[str, tuple[list[tuple[str, Any]], bool]] = {
        "digit strings, speechocean762 (WER)": ([(str(u.text), u.path) for u in ocean if u.is_digit_string], False),
        "digit strings, FSDD joined (WER)": (list(joined_strings([u for u in test if u.source == "fsdd"], count=60, seed=seed)), False),
        "English sentences (CER)": ([(str(u.text), u.path) for u in ocean if not u.is_digit_string], True),
        "Mandarin words and sentences (CER)": ([(str(u.text), u.path) for u in test if u.language == "zh" and u.text], True),
    }
    engine = Engine(Bundle.load(bundle))
    figures: dict[str, Any] = {}
    try:
        for precision in precisions:
            rows: dict[str, Any] = {}
            language: list[bool] = []
            for name, (pairs, characters) in slices.items():
                rows[name], transcripts = _slice(engine, precision, pairs, characters=characters, seed=seed)
                expected = "zh" if name.startswith("Mandarin") else "en"
                language += [segment.language == expected for transcript in transcripts for segment in transcript.segments]
            rows["language tag (accuracy)"] = {"rate": float(np.mean(language)), "segments": len(language)}
            acted = [u for u in test if u.source == "ravdess"]
            heard = _recognize(engine, [u.path for u in acted], precision)
            right = [bool(t.segments) and t.segments[0].emotion == u.emotion for u, t in zip(acted, heard, strict=True)]
            classes = sorted({str(u.emotion) for u in acted})
            recalls = [np.mean([ok for u, ok in zip(acted, right, strict=True) if u.emotion == name]) for name in classes]
            rows["emotion (unweighted accuracy)"] = {"rate": float(np.mean(recalls)), "utterances": len(acted)}
            rows["VAD frames (F1)"] = vad_score(engine, data, precision)
            figures[precision] = rows
    finally:
        engine.close()
    for precision, rows in figures.items():
        for name, row in rows.items():
            log.info("%s | %s | %s", precision, name, row)
    if report is not None:
        report.write_text(json.dumps(figures, indent=1, ensure_ascii=False, default=float) + "\n", encoding="utf-8")
    return figures
