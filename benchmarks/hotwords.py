"""What hotwords do: recall, false insertions an hour, the error rate of everything else, and time, by the length of the list.

    python -m benchmarks.hotwords DATA [--bundle FOLDER] [--precision fp32] [--counts 10,100,1000] [--recordings 200] [--rounds 3]
    python -m benchmarks.hotwords DATA --language zh --speakers second --network-once --lists 2     # errors of one language, no times
    python -m benchmarks.hotwords DATA --vocabulary sensevoice      # synthetic frames in another vocabulary, or TOKENS.txt
    python -m benchmarks.hotwords DATA --vocabulary sensevoice --bundle RANDOM      # the time at full size

Of each list a tenth is spoken in the recordings that are set aside for tests: rare words of their texts. The others are words of the
remaining texts. Every transcript is made greedily and with each list, in turns; time is that of recognition (network and decoding).
With ``--network-once`` the network recognizes each recording once, its frames are decoded with each list, and time is that of decoding
alone; so it is with ``--vocabulary``, where no network runs: frames are made up for the same texts. With a ``--bundle`` beside it that has
SenseVoice's size and random weights, its network's time on noise of the same length is added: time at full size.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.command_line import figures_parser, markdown_table, print_bar, write_figures
from benchmarks.hotword_scores import SEED, HotwordList, Occurrences, Score, list_of
from benchmarks.synthetic_frames import FRAME_S, SyntheticNetwork, sensevoice_stand_in
from engine.audio.reading.reading_warnings import WarningType
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.bundle_roots import STARTER
from engine.compare.error_rate import normalize_text
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.speech.decoding.decoder import BeamDecoder, Decoded
from engine.speech.decoding.spelling import Speller
from engine.speech.decoding.top_tokens import TopTokens
from engine.speech.parts import Parts
from engine.speech.vocabulary import Vocabulary
from models.evaluate.datasets import Purpose, Recording, purpose_of, read_recordings, select, starter_recordings
from models.evaluate.labels import draw

COUNTS = "10,100,1000"
#: The bars: at this many words CER of the rest may rise by so many points, and time by so much.
BAR_COUNT, MOST_POINTS, MOST_RATIO = 100, 0.2, 1.15
STAND_IN = "sensevoice"
FIRST, SECOND, HALF = "first", "second", 0.5


@dataclass(frozen=True)
class Said:
    """One recording's text, and what makes a transcript of it with a list of hotwords: -> (text, seconds that it took)."""

    reference: str
    audio_s: float
    recognize: Callable[[HotwordList | None], tuple[str, float]]


def scores(said: Sequence[Said], lists: Sequence[HotwordList], *, rounds: int) -> list[tuple[Score, Score]]:
    """For each list the scores without it and with it; the first round's transcripts count, the times are those of every round."""
    found = [(Score(), Score()) for _ in lists]
    for number in range(rounds):
        greedy_s, spent_s = 0.0, [0.0] * len(lists)
        for one in said:
            plain, took_s = one.recognize(None)
            greedy_s += took_s
            for place, own in enumerate(lists):
                text, took_s = one.recognize(own)
                spent_s[place] += took_s
                if number == 0:
                    listed = Occurrences(own.phrases)
                    for score, transcript in zip(found[place], (plain, text), strict=True):
                        score.add(listed, one.reference, transcript, audio_s=one.audio_s)
        for (without, with_them), own_s in zip(found, spent_s, strict=True):
            without.spent_s.append(greedy_s)
            with_them.spent_s.append(own_s)
    return found


def figures(own: HotwordList, without: Score, with_them: Score) -> dict[str, Any]:
    """One list's figures."""
    ratios = [after / max(before, 1e-9) for before, after in zip(without.spent_s, with_them.spent_s, strict=True)]
    return {
        "hotwords": len(own.phrases),
        "spoken": with_them.spoken,
        "recall": {"greedy": without.recall, "hotwords": with_them.recall},
        "inserted_an_hour": {"greedy": without.inserted_an_hour, "hotwords": with_them.inserted_an_hour},
        "rest_cer": {"greedy": without.rest_cer, "hotwords": with_them.rest_cer},
        "time_ratio": statistics.median(ratios),
        "seconds_an_hour": 3600 * statistics.median(with_them.spent_s) / max(with_them.audio_s, 1e-9),
        "audio_s": with_them.audio_s,
    }


def by_engine(engine: Engine, recordings: Sequence[Recording], precision: str) -> list[Said]:
    """Recordings that an engine recognizes; SystemExit where its bundle cannot search."""

    def one(recording: Recording) -> Said:
        waveform = load_audio(recording.path)

        def recognize(own: HotwordList | None) -> tuple[str, float]:
            options = TranscribeOptions(precision=precision, itn=False, hotwords=own.hotwords if own else ())
            transcript = engine.transcribe(waveform, options)
            for warning in transcript.warnings:
                if warning.type is WarningType.HOTWORDS_LEFT_OUT:
                    raise SystemExit(warning.message)
            return transcript.text, transcript.timing.asr_s

        return Said(recording.text or "", waveform.duration_s, recognize)

    return [one(recording) for recording in recordings]


def by_frames(engine: Engine, recordings: Sequence[Recording], precision: str) -> list[Said]:
    """Recordings whose frames an engine makes once; the texts are those of :func:`by_engine`."""
    parts = Parts.load(engine.bundle)
    decoders: dict[HotwordList | None, BeamDecoder] = {None: parts.decoder(TranscribeOptions())}

    def one(recording: Recording) -> Said:
        waveform, keeper = load_audio(recording.path), _FrameKeeper(parts.vocabulary)
        with patch.object(Parts, "decoder", lambda *_: keeper):
            engine.transcribe(waveform, TranscribeOptions(precision=precision, itn=False, n_best=2))

        def recognize(own: HotwordList | None) -> tuple[str, float]:
            if own not in decoders:
                decoders[own] = parts.decoder(TranscribeOptions(hotwords=own.hotwords if own else ()))
            began_s = time.perf_counter()
            decoded = [decoders[own].decode(top) for top in keeper.frames]
            texts = [parts.vocabulary.text(emission.token_id for emission in found.emissions) for found in decoded]
            return " ".join(filter(None, texts)), time.perf_counter() - began_s

        return Said(recording.text or "", waveform.duration_s, recognize)

    return [one(recording) for recording in recordings]


class _FrameKeeper(BeamDecoder):
    """Keeps the frames of the segments that it is to decode."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self.frames: list[TopTokens] = []

    def decode(self, top: TopTokens) -> Decoded:
        self.frames.append(top)
        return Decoded(tuple(top.greedy()), ())


def by_vocabulary(vocabulary: Vocabulary, texts: Sequence[str]) -> list[Said]:
    """Texts as synthetic frames in a vocabulary, those that it can write."""
    network, speller = SyntheticNetwork(vocabulary), Speller(vocabulary)
    decoders: dict[HotwordList | None, BeamDecoder] = {}
    said = []
    for text in texts:
        token_ids = network.token_ids(normalize_text(text))
        if not token_ids:
            continue
        top = network.frames(token_ids)

        def recognize(own: HotwordList | None, top: Any = top) -> tuple[str, float]:
            if own is not None and own not in decoders:
                decoders[own] = BeamDecoder(vocabulary, own.hotwords, speller=speller)
            began_s = time.perf_counter()
            emissions = top.greedy() if own is None else decoders[own].decode(top).emissions
            return vocabulary.text(one.token_id for one in emissions), time.perf_counter() - began_s

        said.append(Said(text, len(top) * FRAME_S, recognize))
    return said


def by_full_size(engine: Engine, vocabulary: Vocabulary, texts: Sequence[str], precision: str) -> list[Said]:
    """As :func:`by_vocabulary`, and in time also an engine's network on noise of the same length: weights that are random say nothing.

    The search decodes the made-up frames in place of the network's, which would be as good as flat.
    """
    options = TranscribeOptions(precision=precision, itn=False, vad_precision=VAD_OFF)
    noise = np.random.default_rng(SEED)

    def one(said: Said) -> Said:
        waveform = Waveform(noise.normal(0, 0.05, round(said.audio_s * SAMPLE_RATE_HZ)).astype(np.float32))

        def recognize(own: HotwordList | None) -> tuple[str, float]:
            text, searched_s = said.recognize(own)
            keeper = _FrameKeeper(vocabulary)
            with patch.object(Parts, "decoder", lambda *_: keeper):
                transcript = engine.transcribe(waveform, replace(options, hotwords=own.hotwords if own else ()))
            return text, transcript.timing.asr_s + (searched_s if own else 0.0)

        return Said(said.reference, said.audio_s, recognize)

    return [one(said) for said in by_vocabulary(vocabulary, texts)]


def _material(arguments: argparse.Namespace, bundle: Bundle) -> tuple[list[Recording], list[str]]:
    """The recordings that are tested, and the texts of the others."""
    if bundle.kind == "starter":
        shared = starter_recordings(arguments.data)
        known = [recording for recordings in shared.values() for recording in recordings]
    else:
        known = read_recordings(arguments.data)
    texts = [one for one in known if one.text and one.language[:2] in bundle.languages]
    texts = [one for one in texts if arguments.language in (None, one.language)]
    texts = [one for one in texts if arguments.speakers in (None, _half(one)) or purpose_of(one) is Purpose.CALIBRATION]
    tested = select(texts, Purpose.TEST, limit=arguments.recordings)
    return tested, [one.text or "" for one in texts if purpose_of(one) is not Purpose.TEST]


def _half(recording: Recording) -> str:
    """The half of the speakers that a recording belongs to: the decoder's defaults are chosen on the first, and reported on the second."""
    return FIRST if draw(f"half/{recording.group}") < HALF else SECOND


def _vocabulary(name: str, texts: Sequence[str]) -> Vocabulary:
    if name != STAND_IN:
        return Vocabulary.load(name)
    vocabulary = sensevoice_stand_in(texts)
    print(f"SenseVoice's own pieces come with its weights; {len(vocabulary)} pieces of the same kind stand in for them.")
    return vocabulary


def _row(found: dict[str, Any]) -> list[str]:
    recall, inserted, cer = found["recall"], found["inserted_an_hour"], found["rest_cer"]
    return [
        str(found["hotwords"]),
        str(found["spoken"]),
        f"{recall['greedy']:.3f} → {recall['hotwords']:.3f}",
        f"{inserted['greedy']:.2f} → {inserted['hotwords']:.2f}",
        f"{cer['greedy']:.4f} → {cer['hotwords']:.4f}",
        f"{found['time_ratio']:.3f}",
        f"{found['seconds_an_hour']:.1f}",
    ]


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("hotwords", __doc__)
    parser.add_argument("data", type=Path, help="folder of recordings with labels.tsv, or of such folders")
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--counts", default=COUNTS, help="lengths of the lists (default: %(default)s)")
    parser.add_argument("--recordings", type=int, default=200, help="most recordings (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lists", type=int, default=1, help="lists that are drawn of each length (default: %(default)s)")
    parser.add_argument("--language", help="only recordings in this language, as zh or en")
    parser.add_argument("--speakers", choices=[FIRST, SECOND], help="only one half of the speakers")
    parser.add_argument("--network-once", action="store_true", help="decode the same frames with each list: quicker, no times of a network")
    parser.add_argument("--vocabulary", help=f"synthetic frames in the vocabulary of a tokens.txt, or in {STAND_IN!r}'s size and kind")
    arguments = parser.parse_args()
    bundle = Bundle.load(arguments.bundle)
    recordings, others = _material(arguments, bundle)
    references = [recording.text or "" for recording in recordings]
    counts = [int(count) for count in arguments.counts.split(",")]
    lists = [list_of(count, references, others, seed=SEED + number) for count in counts for number in range(arguments.lists)]
    if arguments.vocabulary is not None:
        vocabulary = _vocabulary(arguments.vocabulary, others)
        if bundle.kind == "starter":
            found = scores(by_vocabulary(vocabulary, references), lists, rounds=arguments.rounds)
        else:
            with closing(Engine(bundle)) as engine:
                found = scores(by_full_size(engine, vocabulary, references, arguments.precision), lists, rounds=arguments.rounds)
    else:
        with closing(Engine(bundle)) as engine:
            said = (by_frames if arguments.network_once else by_engine)(engine, recordings, arguments.precision)
            found = scores(said, lists, rounds=arguments.rounds)
    firsts = range(0, len(lists), arguments.lists)
    measured = [figures(lists[first], *map(Score.sum, zip(*found[first : first + arguments.lists], strict=True))) for first in firsts]
    titles = ["hotwords", "spoken", "recall", "inserted an hour", "CER of the rest", "time / greedy", "s an hour"]
    print(markdown_table(titles, [_row(one) for one in measured]))
    for one in measured:
        if one["hotwords"] == BAR_COUNT:
            points = 100 * (one["rest_cer"]["hotwords"] - one["rest_cer"]["greedy"])
            print_bar(f"CER of the rest at {BAR_COUNT} words, points", points, MOST_POINTS)
            if not arguments.network_once and (arguments.vocabulary is None or bundle.kind != "starter"):
                print_bar(f"time at {BAR_COUNT} words, with / without", one["time_ratio"], MOST_RATIO)
    write_figures(arguments.json, measured)


if __name__ == "__main__":
    main()
