"""Transcript → subtitles: which words stand together, on which lines, and from when to when they are shown.

The words of segments that follow one another closely are divided so that the sum of costs is least: what ends at a sentence, a clause
or a pause is cheap, a single word or a time too short to read is dear. Lines and times are hard limits. Sizes and times follow
https://partnerhelp.netflixstudios.com/hc/en-us/articles/215758617 and the BBC's
https://www.bbc.co.uk/accessibility/forproducts/guides/subtitles.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from engine.subtitles.columns import columns
from engine.subtitles.cue_times import Spoken, shown_times
from engine.subtitles.lines import Filling, broken_lines
from engine.subtitles.options import MAX_CUE_MS, SubtitleOptions
from engine.subtitles.spoken_words import SpokenWord, spoken_words
from engine.transcript import Segment, Transcript

#: Segments of one speaker that are further apart never share a subtitle.
JOINED_GAP_MS = 1_000
#: A single word that is a segment of its own and takes this long need not join another one.
OWN_WORD_MS = 1_500
#: A pause at which a subtitle had better end, and one at which it may.
PAUSE_MS, BREATH_MS = 500, 200
#: A speaker's label may take half of the first line; a longer one makes that line too long rather than leave no room for words.
_LABEL_SHARE = 2

_CUE_COST, _JOIN_COST, _ORPHAN_COST, _SHORT_COST, _PAUSE_COST, _EMPTY_COST = 1.0, 1.6, 3.0, 4.0, 0.8, 0.6


@dataclass(frozen=True)
class Cue:
    """One subtitle: its times, its lines, and who speaks, where speakers are known apart."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str | None = None

    @property
    def text(self) -> str:
        """The lines, one below the other."""
        return "\n".join(self.lines)


def cues(transcript: Transcript, options: SubtitleOptions | None = None) -> list[Cue]:
    """Subtitles in the order of their times. Those of one speaker never overlap, none ends after the recording, none is empty.

    The shortest time is kept wherever the words around leave room for it within a second of when they were said.
    """
    chosen = options or SubtitleOptions()
    last_ms = max([round(transcript.duration_s * 1000), *(segment.end_ms for segment in transcript.segments)])
    by_speaker: defaultdict[str | None, list[Segment]] = defaultdict(list)
    for segment in transcript.segments:
        by_speaker[segment.speaker].append(segment)
    found = [cue for speaker, segments in by_speaker.items() for cue in _of_speaker(speaker, segments, last_ms, chosen)]
    return sorted(found, key=lambda cue: cue.start_ms)


def label_of(speaker: str | None) -> str:
    """What stands before the first line of a subtitle in formats that have no field for the speaker."""
    return "" if speaker is None else f"{speaker}: "


def _of_speaker(speaker: str | None, segments: Sequence[Segment], last_ms: int, options: SubtitleOptions) -> Iterator[Cue]:
    indent = min(columns(label_of(speaker)), options.max_line_width // _LABEL_SHARE)
    groups: list[list[SpokenWord]] = []
    for block, next_ms in _blocks(segments, last_ms, widest=options.max_line_width - indent):
        groups += _divided(block, next_ms, indent, options)
    starts_ms = accumulate((group[0].start_ms for group in groups), max)
    spoken = [
        Spoken(start_ms, group[-1].end_ms, sum(word.columns for word in group)) for start_ms, group in zip(starts_ms, groups, strict=True)
    ]
    for (start_ms, end_ms), group in zip(shown_times(spoken, last_ms=last_ms, min_cue_ms=options.min_cue_ms), groups, strict=True):
        yield Cue(start_ms, end_ms, broken_lines(group, widest=options.max_line_width, indent=indent), speaker)


def _blocks(segments: Sequence[Segment], last_ms: int, *, widest: int) -> Iterator[tuple[list[SpokenWord], int]]:
    """Words that may share subtitles, and when the next ones begin."""
    block: list[SpokenWord] = []
    for segment in sorted(segments, key=lambda one: one.start_ms):
        words = spoken_words(segment, widest=widest)
        if block and words and words[0].start_ms - block[-1].end_ms > JOINED_GAP_MS:
            yield block, words[0].start_ms
            block = []
        block += words
    if block:
        yield block, last_ms


def _divided(words: Sequence[SpokenWord], next_ms: int, indent: int, options: SubtitleOptions) -> list[list[SpokenWord]]:
    """A block's words in the groups whose costs are least together."""
    size = len(words)
    starts_ms = [*(word.start_ms for word in words), next_ms]
    least, began = [0.0] + [math.inf] * size, [0] * (size + 1)
    for first in range(size):
        filling = Filling(widest=options.max_line_width, indent=indent)
        inside = 0.0
        for last in range(first + 1, size + 1):
            word = words[last - 1]
            if last > first + 1:
                inside += _kept_together_cost(words[last - 2], word)
            filling.add(word)
            too_long = word.end_ms - words[first].start_ms > MAX_CUE_MS
            if last > first + 1 and (too_long or filling.lines > options.max_line_count):
                break
            fullness = filling.total / (options.max_line_width * options.max_line_count)
            room_ms = starts_ms[last] - starts_ms[first]
            cost = least[first] + _CUE_COST + inside + _EMPTY_COST * (1 - fullness) ** 2
            cost += _ORPHAN_COST * (last == first + 1 and _is_orphan(words, first))
            cost += _SHORT_COST * (2 - room_ms / options.min_cue_ms) if room_ms < options.min_cue_ms else 0.0
            cost += _end_cost(word, starts_ms[last] - word.end_ms) if last < size else 0.0
            if cost < least[last]:
                least[last], began[last] = cost, first
    groups: list[list[SpokenWord]] = []
    last = size
    while last:
        groups.append(list(words[began[last] : last]))
        last = began[last]
    return groups[::-1]


def _is_orphan(words: Sequence[SpokenWord], place: int) -> bool:
    """Whether a word by itself would be separated from its neighbours, or be shown too briefly."""
    word, opens_next = words[place], place + 1 == len(words) or words[place + 1].opens
    return len(words) > 1 and not (word.opens and opens_next and word.end_ms - word.start_ms >= OWN_WORD_MS)


def _kept_together_cost(before: SpokenWord, after: SpokenWord) -> float:
    """What it costs that no subtitle ends between two words: segments are meant to be apart, and so are pauses."""
    pause_ms = after.start_ms - before.end_ms
    pause = _PAUSE_COST * pause_ms / 1000 if pause_ms >= PAUSE_MS else 0.0
    return pause + (_JOIN_COST if after.opens else 0.0)


def _end_cost(word: SpokenWord, pause_ms: int) -> float:
    """What it costs that a subtitle ends after a word, less where the speaker pauses."""
    if pause_ms >= PAUSE_MS:
        return min(word.end_cost, 0.2)
    return word.end_cost * (0.6 if pause_ms >= BREATH_MS else 1.0)
