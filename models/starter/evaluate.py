"""Error rates of a bundle on the speakers and words that its training never heard, through the engine itself.

Digit strings and sentences go through the whole chain (decoding, VAD, recognition), as a person's recording would.
VAD is scored on labelled meeting extracts against their RTTM turns.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.cores import default_threads
from engine.runtime.session_pool import open_session
from engine.speech.features import FRAME_SHIFT_MS, fbank
from engine.speech.parts import Parts
from engine.speech.recognizer import Recognizer
from engine.tags import Event
from engine.transcript import Transcript
from models.evaluate.metrics import (
    ErrorCounts,
    VadScores,
    error_counts,
    frames_in,
    rate_difference,
    rate_interval,
    tag_agreement,
    vad_scores,
)
from models.starter.corpus import Utterance, normalize_english, read_labels
from models.starter.events import make_events
from models.starter.meetings import TESTING, read_meetings
from models.starter.public_sets import read_corpus
from models.starter.spoiling import CODECS, through_codec

log = logging.getLogger(__name__)
SPEECH_AMONG_EVENTS = 60
REAL, REAL_ENGLISH = "real", ("jfk.flac", "harvard.wav")
TAGGED_LANGUAGES = ("zh", "en", "yue", "ja")  # Korean is learnt from a synthesizer: there is no recording to judge it by
LANGUAGE_CLIPS, CODEC_CLIPS = 40, 30
#: SenseVoice's own examples in the folder ``real``, one a language: the only Korean at hand.
OFFICIAL_EXAMPLES = {language: f"sensevoice_example_{language}.mp3" for language in (*TAGGED_LANGUAGES, "ko")}


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


def _recognize(engine: Engine, audios: Sequence[Path | Waveform], precision: str, language: str = "auto") -> list[Transcript]:
    options = TranscribeOptions(precision=precision, itn=False, language=language)
    return [engine.transcribe(audio if isinstance(audio, Waveform) else load_audio(audio), options) for audio in audios]


def vad_score(engine: Engine, data: Path, precision: str) -> dict[str, float] | None:
    """Frame F1, miss and false-alarm rates over the meeting extracts that nothing was tuned on; None where the set is absent."""
    folder = data / "pyannote_samples"
    if not (folder / "labels.tsv").is_file():
        return None
    scores = VadScores()
    for meeting in read_meetings(folder, TESTING):
        spans = engine.detect(meeting.waveform, TranscribeOptions(precision=precision))
        scores += vad_scores(meeting.truth, frames_in(spans, len(meeting.truth)))
    if not scores.frames:
        return None
    figures = {"f1": scores.f1, "miss": scores.miss_rate, "false_alarm": scores.false_alarm_rate}
    return {name: float(figure or 0.0) for name, figure in figures.items()} | {"seconds": scores.frames * FRAME_SHIFT_MS / 1000}


def event_score(bundle: Bundle, precision: str, sounds: Sequence[Utterance]) -> dict[str, Any]:
    """Event tags of whole clips, with no VAD before them: accuracy of each class and their mean."""
    parts = Parts.load(bundle)
    session = open_session(bundle, model="asr", precision=precision, device="cpu", threads=default_threads())
    try:
        recognizer = Recognizer(session, parts.vocabulary, bundle)
        right: dict[str, list[bool]] = {}
        for sound in sounds:
            waveform = load_audio(sound.path)
            features = parts.frontend.asr_features(fbank(waveform.samples))
            heard = recognizer.recognize(features, TranscribeOptions(itn=False), duration_ms=waveform.duration_ms)
            right.setdefault(sound.event.value, []).append(heard.event == sound.event)
    finally:
        session.close()
    return {**unweighted(right), "utterances": len(sounds)}


def unweighted(right: dict[str, list[bool]]) -> dict[str, Any]:
    """The mean of the classes' own accuracies, and these."""
    classes = {name: float(np.mean(answers)) for name, answers in sorted(right.items())}
    return {"rate": float(np.mean(list(classes.values()))) if classes else float("nan"), "classes": classes}


def _tags(transcript: Transcript) -> list[tuple[str, str, str]]:
    return [(segment.language, segment.emotion, segment.event) for segment in transcript.segments]


@dataclass(frozen=True)
class Slice:
    """Recordings with their texts that are scored together."""

    name: str
    pairs: list[tuple[str, Path | Waveform]]
    characters: bool
    language: str


@dataclass
class Answers:
    """Everything that one precision answered."""

    rows: dict[str, Any]
    counts: list[ErrorCounts]  # by characters, of every utterance
    tags: list[list[tuple[str, str, str]]]


def slices_of(test: Sequence[Utterance], data: Path, *, seed: int) -> list[Slice]:
    """The model card's slices with text: speakers that were never trained on, and the recordings of ``real`` with a known text."""
    ocean = [u for u in test if u.source == "speechocean762"]
    digits = [u for u in test if u.source == "fsdd"]

    def of(*sources: str) -> list[tuple[str, Path | Waveform]]:
        return [(str(u.text), u.path) for u in test if u.source in sources and u.text]

    slices = [
        Slice("English, strangers of other sets (CER)", of("commonvoice_en", "librispeech_bits"), True, "en"),
        Slice("English sentences, speechocean762 (CER)", [(str(u.text), u.path) for u in ocean if not u.is_digit_string], True, "en"),
        Slice("digit strings, speechocean762 (WER)", [(str(u.text), u.path) for u in ocean if u.is_digit_string], False, "en"),
        Slice("digit strings, FSDD joined (WER)", list(joined_strings(digits, count=60, seed=seed)) if digits else [], False, "en"),
        Slice("spelled names and numbers, strangers (WER)", of("alphanumeric_duke"), False, "en"),
        Slice("jfk.flac and harvard.wav (WER)", real_recordings(data, REAL_ENGLISH), False, "en"),
        Slice("Mandarin, strangers, Common Voice (CER)", of("commonvoice_zh"), True, "zh"),
        Slice("Mandarin, strangers, AISHELL-3 (CER)", of("aishell3_samples"), True, "zh"),
        Slice("Mandarin, a known voice, unheard texts (CER)", of("aishell_sample"), True, "zh"),
    ]
    return [slice_ for slice_ in slices if slice_.pairs]


def real_recordings(data: Path, names: Sequence[str]) -> list[tuple[str, Path | Waveform]]:
    """Recordings of the folder ``real`` with their texts; none where the folder is absent."""
    if not (data / REAL / "labels.tsv").is_file():
        return []
    rows = {row["path"]: row for row in read_labels(data / REAL)}
    return [(normalize_english(rows[name]["label"]), data / REAL / name) for name in names if name in rows]


def judged_by_language(test: Sequence[Utterance]) -> list[Utterance]:
    """The recordings that the language tag is judged by: FSDD's single digits and RAVDESS's two sentences say little of it."""
    return [u for u in test if u.language in TAGGED_LANGUAGES and u.event == Event.SPEECH and u.source not in ("fsdd", "ravdess")]


def language_score(engine: Engine, test: Sequence[Utterance], precision: str, *, most: int) -> dict[str, Any]:
    """How often the language tag of a recording's first segment is right, by language, for speakers never trained on; and their mean."""
    right: dict[str, list[bool]] = {}
    options = TranscribeOptions(precision=precision, itn=False)
    for language in TAGGED_LANGUAGES:
        spoken = [u for u in judged_by_language(test) if u.language == language]
        for utterance in spoken[:: max(1, len(spoken) // most)][:most]:
            segments = engine.transcribe(load_audio(utterance.path), options).segments
            right.setdefault(language, []).append(bool(segments) and segments[0].language == language)
    return {**unweighted(right), "utterances": sum(map(len, right.values()))}


def official_examples_score(engine: Engine, data: Path, precision: str) -> dict[str, Any] | None:
    """How many of SenseVoice's own example recordings are tagged with their language; None where the folder is absent."""
    present = {language: data / REAL / name for language, name in OFFICIAL_EXAMPLES.items() if (data / REAL / name).is_file()}
    if not present:
        return None
    options = TranscribeOptions(precision=precision, itn=False)
    right = {}
    for language, path in present.items():
        segments = engine.transcribe(load_audio(path), options).segments
        right[language] = [bool(segments) and segments[0].language == language]
    return {**unweighted(right), "utterances": len(present)}


def codec_score(engine: Engine, test: Sequence[Utterance], precision: str, *, seed: int, most: int) -> dict[str, Any]:
    """How many segments of speech behind MP3, AAC and Opus at 16 to 128 kbit/s are tagged Speech, by codec."""
    rng, options = np.random.default_rng(seed), TranscribeOptions(precision=precision, itn=False)
    spoken = [u for u in test if u.text and u.source in ("commonvoice_en", "commonvoice_zh", "speechocean762")]
    right: dict[str, list[bool]] = {}
    for utterance in spoken[:: max(1, len(spoken) // most)][:most]:
        samples = load_audio(utterance.path).samples
        for codec, (_, rates, speeds) in CODECS.items():
            spoilt = through_codec(
                samples, codec=codec, rate_hz=int(rng.choice(rates)), kbit_s=int(rng.choice([k for k in speeds if k >= 16]))
            )
            transcript = engine.transcribe(Waveform(spoilt, name=utterance.path.name), options)
            right.setdefault(codec, []).extend(segment.event == Event.SPEECH for segment in transcript.segments)
    return {**unweighted(right), "utterances": sum(map(len, right.values()))}


def answer(engine: Engine, bundle: Bundle, data: Path, test: Sequence[Utterance], precision: str, *, seed: int) -> Answers:
    """Everything the model card says about one precision."""
    rows: dict[str, Any] = {}
    counts: list[ErrorCounts] = []
    tags = []
    for slice_ in slices_of(test, data, seed=seed):
        references = [text for text, _ in slice_.pairs]
        for prompt in ("auto", slice_.language):
            transcripts = _recognize(engine, [audio for _, audio in slice_.pairs], precision, prompt)
            pairs = [(text, transcript.text) for text, transcript in zip(references, transcripts, strict=True)]
            row = _rate([error_counts(said, heard, characters=slice_.characters) for said, heard in pairs], seed=seed)
            if prompt == "auto":
                right_language = [segment.language == slice_.language for transcript in transcripts for segment in transcript.segments]
                rows[slice_.name] = {**row, "language": float(np.mean(right_language)), "segments": len(right_language)}
                counts += [error_counts(said, heard, characters=True) for said, heard in pairs]
                tags += [_tags(transcript) for transcript in transcripts]
            else:
                rows[slice_.name]["prompted_rate"] = row["rate"]
    rows["language tag (unweighted accuracy)"] = language_score(engine, test, precision, most=LANGUAGE_CLIPS)
    rows["language tag, SenseVoice's own examples"] = official_examples_score(engine, data, precision)
    acted = [u for u in test if u.source == "ravdess"]
    right: dict[str, list[bool]] = {}
    for utterance, transcript in zip(acted, _recognize(engine, [u.path for u in acted], precision), strict=True):
        tags.append(_tags(transcript))
        right.setdefault(str(utterance.emotion), []).append(
            bool(transcript.segments) and transcript.segments[0].emotion == utterance.emotion
        )
    rows["emotion (unweighted accuracy)"] = {**unweighted(right), "utterances": len(acted)}
    sounds = [u for u in test if u.source in ("esc10", "made-events")]
    speech = [u for u in test if u.source == "speechocean762"][:SPEECH_AMONG_EVENTS]
    rows["events (unweighted accuracy)"] = event_score(bundle, precision, [*sounds, *speech])
    rows["speech behind a codec, tagged Speech"] = codec_score(engine, test, precision, seed=seed, most=CODEC_CLIPS)
    texts = [transcript.text for transcript in _recognize(engine, [u.path for u in sounds], precision)]
    if texts:
        rows["noises and music that get a text"] = {"rate": float(np.mean([bool(text) for text in texts])), "utterances": len(texts)}
    rows["VAD frames (F1)"] = vad_score(engine, data, precision)
    return Answers(rows, counts, tags)


def _rate(counts: Sequence[ErrorCounts], *, seed: int) -> dict[str, float]:
    interval = rate_interval(counts, seed=seed)
    if interval is None:
        raise ValueError("a slice without text has no error rate")
    return {"rate": interval.estimate, "low": interval.low, "high": interval.high, "utterances": len(counts)}


def cost(full: Answers, small: Answers, *, seed: int) -> dict[str, float]:
    """What INT8 costs: error rate by characters over all slices in points with the paired bootstrap's 95 % interval, and equal tags."""
    points = rate_difference(full.counts, small.counts, seed=seed)
    if points is None:
        raise ValueError("without text there is no error rate to compare")
    pairs = [pair for left, right in zip(full.tags, small.tags, strict=True) for pair in zip(left, right, strict=False)]
    equal = tag_agreement([tag for left, _ in pairs for tag in left], [tag for _, right in pairs for tag in right])
    return {
        "cer_points": 100 * points.estimate,
        "low": 100 * points.low,
        "high": 100 * points.high,
        "tags_equal": float("nan") if equal.rate is None else equal.rate,
    }


def evaluate(
    bundle: Path, data: Path, config: dict[str, Any], *, precisions: Sequence[str], report: Path | None, made_events: Path | None = None
) -> dict[str, Any]:
    """Score a bundle in each precision, log a table, and write JSON where asked.

    ``made_events`` is a folder for the synthesized music and applause; those made for the training are in ``WORK/events``.
    """
    seed = config["seed"]
    utterances = read_corpus(data, config)
    if made_events is not None:
        utterances += list(make_events(made_events, config))
    test = [utterance for utterance in utterances if utterance.split == "test"]
    opened = Bundle.load(bundle)
    engine = Engine(opened)
    try:
        answers = {precision: answer(engine, opened, data, test, precision, seed=seed) for precision in precisions}
    finally:
        engine.close()
    figures: dict[str, Any] = {precision: answered.rows for precision, answered in answers.items()}
    for precision, answered in answers.items():
        if precision != "fp32" and "fp32" in answers:
            figures[precision]["against FP32"] = cost(answers["fp32"], answered, seed=seed)
    for precision, rows in figures.items():
        for name, row in rows.items():
            log.info("%s | %s | %s", precision, name, row)
    if report is not None:
        report.write_text(json.dumps(figures, indent=1, ensure_ascii=False, default=float) + "\n", encoding="utf-8")
    return figures
