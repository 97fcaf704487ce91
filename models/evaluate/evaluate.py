"""A bundle's precisions on recordings that neither calibrated nor tuned them, through the engine, one segment at a time as deployed.

Each recording is decoded once and transcribed in every precision. Error rates, tags and speech are compared with
the labels where there are any, and always with the reference precision.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from engine.bundle import Bundle
from engine.compare.compare import pair_segments
from engine.files.content import sha256_of
from engine.runtime.session_pool import Precision
from engine.transcript import Segment
from models.evaluate.datasets import Purpose, Recording, read_recordings, select, starter_recordings
from models.evaluate.evaluation import FAMILIES, ErrorRate, Evaluation, Scores
from models.evaluate.frame_agreement import FrameAgreement, agreements
from models.evaluate.labels import RecordingsError
from models.evaluate.metrics import (
    UNSPACED,
    BoundaryErrors,
    ErrorCounts,
    TagAgreement,
    VadScores,
    boundary_errors,
    error_counts,
    rate_difference,
    rate_interval,
    tag_agreement,
    total,
    vad_scores,
)
from models.evaluate.run import Item, Recognized, recognize_all
from models.jobs.progress import report

log = logging.getLogger(__name__)

#: The tag of a recording, or of a segment's partner, in which nothing was recognized.
NO_SEGMENT = "none"


def evaluate(
    bundle: Path,
    data: Path,
    *,
    precisions: Sequence[str] | None = None,
    reference: str = Precision.FP32.value,
    limit: int | None = None,
    seed: int = 9527,
    device: str = "cpu",
) -> Evaluation:
    """Measure ``precisions`` of a bundle (all that suit the device, if none are named) on the test recordings of a folder.

    ``limit`` keeps that many recordings, spread over sources, languages and labels. Recordings that ``bundle.json`` lists as used
    for calibration or tuning are left out with all others of their speakers, and named. Raises RecordingsError where none
    remains, UnknownPrecisionError, and the errors of the engine.
    """
    loaded = Bundle.load(bundle)
    names = _names(loaded, precisions, reference=reference, device=device)
    chosen, left_out = recordings_to_test(loaded, data, used=loaded.used_recordings, limit=limit, seed=seed)
    items, unreadable = recognize_all(loaded, chosen, names, data=data, device=device)
    if not items:
        raise RecordingsError(f"none of the {len(chosen)} test recordings in {data} can be read; the first: {unreadable[0]}")
    frames = _frames(loaded, items, names, device=device)
    groups = _groups(items)
    scorer = _Scorer(items, frames, languages=loaded.languages, reference=reference, seed=seed)
    scores = {name: {group: scorer.scores(name, members) for group, members in groups.items()} for name in names}
    report(1.0, "done")
    return Evaluation(
        bundle=loaded.name,
        version=loaded.version,
        reference=reference,
        random_weights=loaded.is_random,
        seed=seed,
        recordings=len(items),
        seconds=sum(item.recording.duration_s for item in items),
        left_out=(*left_out, *unreadable),
        scores=scores,
    )


def _names(bundle: Bundle, precisions: Sequence[str] | None, *, reference: str, device: str) -> list[str]:
    """The reference first, then what was asked for, or every precision that is meant for the device."""
    names = list(dict.fromkeys([reference, *(bundle.precisions_for(device) if precisions is None else precisions)]))
    for name in names:
        bundle.variant(name)
    return names


def recordings_to_test(
    bundle: Bundle, data: Path, *, used: Mapping[str, Iterable[str]], limit: int | None, seed: int
) -> tuple[list[Recording], list[str]]:
    """The recordings to test a bundle with, and a line for each that is left out because it was used: ``used[purpose]`` lists sha256 sums.

    Raises RecordingsError where none remains.
    """
    shared = starter_recordings(data) if bundle.kind == "starter" else {Purpose.TEST: read_recordings(data)}
    purposes = {sha256: str(purpose) for purpose, sums in used.items() for sha256 in sums}
    everything = [recording for recordings in shared.values() for recording in recordings]
    known = {recording.path: purposes.get(sha256_of(recording.path)) for recording in everything} if purposes else {}
    groups = {recording.group: known[recording.path] for recording in everything if known.get(recording.path)}
    kept: list[Recording] = []
    left_out: list[str] = []
    for recording in select(shared[Purpose.TEST], Purpose.TEST, seed=seed):
        purpose = known.get(recording.path)
        if purpose is not None:
            left_out.append(f"{recording.path}: used for {purpose}")
        elif recording.group in groups:
            left_out.append(f"{recording.path}: its speaker was used for {groups[recording.group]}")
        else:
            kept.append(recording)
    if left_out:
        log.warning("%d test recordings left out, the first: %s", len(left_out), left_out[0])
    if not kept:
        reason = f"; {len(left_out)} were used already, as {left_out[0]}" if left_out else ""
        raise RecordingsError(f"no recordings in {data} left to test {bundle.name} with{reason}; add recordings of other speakers")
    return select(kept, Purpose.TEST, limit=limit, seed=seed), left_out


def _frames(bundle: Bundle, items: Sequence[Item], names: Sequence[str], *, device: str) -> dict[str, list[FrameAgreement]]:
    """Logits of each precision against the reference's (the first name): one FrameAgreement for each item that keeps its features."""
    graphs = {name: bundle.path(bundle.variant(name).asr) for name in names}
    found: dict[str, list[FrameAgreement]] = {}
    for index, name in enumerate(names):
        report(0.8 + 0.2 * index / len(names), "compare frames")
        clips = (item.features for item in items if item.features is not None)
        found[name] = list(agreements(graphs[names[0]], graphs[name], clips, device=device))
    return found


def _groups(items: Sequence[Item]) -> dict[str, list[int]]:
    """Which items belong to which group: all, then each language and each source."""
    groups: dict[str, list[int]] = {"all": list(range(len(items)))}
    keys: dict[str, Callable[[Item], str]] = {
        "language": lambda item: item.recording.language or "unknown",
        "source": lambda item: item.recording.source,
    }
    for title, key in keys.items():
        for name in sorted({key(item) for item in items}):
            groups[f"{title} {name}"] = [index for index, item in enumerate(items) if key(item) == name]
    return groups


class _Scorer:
    """Scores any precision over any group of items."""

    def __init__(
        self,
        items: Sequence[Item],
        frames: Mapping[str, Sequence[FrameAgreement]],
        *,
        languages: Sequence[str],
        reference: str,
        seed: int,
    ) -> None:
        self._items, self._frames, self._reference, self._seed = items, frames, reference, seed
        self._counts = {
            (name, characters): {
                index: error_counts(str(item.recording.text), item.recognized[name].text, characters=characters)
                for index, item in enumerate(items)
                if _has_text(item.recording, languages) and (characters or item.recording.language not in UNSPACED)
            }
            for name in frames
            for characters in (True, False)
        }

    def scores(self, name: str, members: Sequence[int]) -> Scores:
        """One precision over the items ``members``."""
        items = [self._items[index] for index in members]
        compared = sum((self._frames[name][index] for index in members if index < len(self._frames[name])), FrameAgreement())
        other = name != self._reference
        pairs = [(item.recognized[self._reference], item.recognized[name]) for item in items]
        labelled = [(item.turns, item.recognized[name]) for item in items if item.turns is not None]
        return Scores(
            recordings=len(items),
            cer=self._error_rate(name, members, characters=True),
            wer=self._error_rate(name, members, characters=False),
            blank_rate=compared.right_blank_rate,
            frames=compared if other and compared.frames else None,
            tags_to_reference=_paired_tags(pairs) if other else None,
            tags_to_labels=_labelled_tags(items, name),
            vad_to_reference=sum((vad_scores(one.decisions, two.decisions) for one, two in pairs), VadScores()) if other else None,
            boundaries=sum((boundary_errors(one.spans, two.spans) for one, two in pairs), BoundaryErrors()) if other else None,
            vad_to_labels=sum((vad_scores(turns, recognized.detected) for turns, recognized in labelled), VadScores())
            if labelled
            else None,
        )

    def _error_rate(self, name: str, members: Sequence[int], *, characters: bool) -> ErrorRate | None:
        counts, reference = self._counts_of(name, members, characters), self._counts_of(self._reference, members, characters)
        interval = rate_interval(counts, seed=self._seed) if counts else None
        if interval is None:
            return None
        difference = None if name == self._reference else rate_difference(reference, counts, seed=self._seed)
        return ErrorRate(utterances=len(counts), counts=total(counts), interval=interval, difference=difference)

    def _counts_of(self, name: str, members: Sequence[int], characters: bool) -> list[ErrorCounts]:
        counts = self._counts[name, characters]
        return [counts[index] for index in members if index in counts]


def _has_text(recording: Recording, languages: Sequence[str]) -> bool:
    """Whether the recording has a text, in a language that the bundle lists."""
    return bool(recording.text) and (not recording.language or recording.language in languages)


def _tags(segment: Segment | None) -> dict[str, str]:
    if segment is None:
        return dict.fromkeys(FAMILIES, NO_SEGMENT)
    return {"language": segment.language.value, "emotion": segment.emotion.value, "event": segment.event.value}


def _paired_tags(pairs: Sequence[tuple[Recognized, Recognized]]) -> dict[str, TagAgreement]:
    """Tags of the segments that overlap most; a segment without partner is paired with none."""
    both = [(_tags(one), _tags(two)) for left, right in pairs for one, two in pair_segments(left.segments, right.segments)]
    return {family: tag_agreement([one[family] for one, _ in both], [two[family] for _, two in both]) for family in FAMILIES}


def _labelled_tags(items: Sequence[Item], name: str) -> dict[str, TagAgreement]:
    """Tags of each recording's longest segment against its labels."""
    pairs: dict[str, list[tuple[str, str]]] = {family: [] for family in FAMILIES}
    for item in items:
        longest = max(item.recognized[name].segments, key=lambda segment: segment.end_ms - segment.start_ms, default=None)
        for family, tag in item.tags.items():
            pairs[family].append((tag, _tags(longest)[family]))
    return {family: tag_agreement([tag for tag, _ in rows], [tag for _, tag in rows]) for family, rows in pairs.items()}
