"""What holds for the subtitles of every transcript and for all options; read back by two readers that are not ours to bend."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from datetime import timedelta
from unicodedata import east_asian_width

import pytest
import srt
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.formats import render
from engine.subtitles.cues import Cue, cues
from engine.subtitles.options import MAX_CUE_MS, RANGES, SubtitleOptions
from engine.transcript import Transcript
from tests.subtitles import read_srt, read_vtt
from tests.transcripts import transcripts

#: The defaults, which most people have, as often as all others.
OPTIONS = st.one_of(
    st.just(SubtitleOptions()), st.builds(SubtitleOptions, **{name: st.integers(*bounds) for name, bounds in RANGES.items()})
)


def width(line: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line)


def without_spaces(text: str) -> str:
    return "".join(text.split())


def by_speaker(found: list[Cue]) -> list[list[Cue]]:
    groups: defaultdict[str | None, list[Cue]] = defaultdict(list)
    for cue in found:
        groups[cue.speaker].append(cue)
    return list(groups.values())


@settings(deadline=None)
@given(transcripts(), OPTIONS)
def test_lines_fit_and_nothing_of_the_text_is_lost(talk: Transcript, options: SubtitleOptions) -> None:
    found = cues(talk, options)
    for cue in found:
        label = width(f"{cue.speaker}: ") if cue.speaker else 0
        assert 1 <= len(cue.lines) <= options.max_line_count
        assert all(line and line == " ".join(line.split()) for line in cue.lines)
        assert all(width(line) <= options.max_line_width for line in cue.lines)
        assert label > options.max_line_width // 2 or label + width(cue.lines[0]) <= options.max_line_width
    for speaker in {cue.speaker for cue in found} | {getattr(one, "speaker", None) for one in talk.segments}:
        said = "".join(one.text for one in talk.segments if getattr(one, "speaker", None) == speaker)
        assert without_spaces("".join(cue.text for cue in found if cue.speaker == speaker)) == without_spaces(said)


@settings(deadline=None)
@given(transcripts(), OPTIONS)
def test_cues_of_a_speaker_never_overlap_nor_stay_too_long_nor_outlast_the_recording(talk: Transcript, options: SubtitleOptions) -> None:
    found = cues(talk, options)
    assert [cue.start_ms for cue in found] == sorted(cue.start_ms for cue in found)
    last_ms = round(talk.duration_s * 1000)
    for cue in found:
        assert 0 <= cue.start_ms <= cue.end_ms <= last_ms
        assert cue.end_ms - cue.start_ms <= MAX_CUE_MS
    for group in by_speaker(found):
        assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(group))
        if len(group) < last_ms:
            assert all(cue.start_ms < cue.end_ms for cue in group)


@settings(deadline=None)
@given(transcripts(), OPTIONS)
def test_a_cue_is_shorter_than_asked_only_where_the_next_one_or_the_end_cuts_it_off(talk: Transcript, options: SubtitleOptions) -> None:
    last_ms = round(talk.duration_s * 1000)
    for group in by_speaker(cues(talk, options)):
        for cue, next_ms in zip(group, [*(cue.start_ms for cue in group[1:]), last_ms], strict=True):
            assert cue.end_ms - cue.start_ms >= options.min_cue_ms or cue.end_ms == next_ms


@settings(deadline=None)
@given(transcripts(), OPTIONS)
def test_a_cue_is_shown_within_a_second_of_its_words(talk: Transcript, options: SubtitleOptions) -> None:
    for cue in cues(talk, options):
        mine = [one for one in talk.segments if getattr(one, "speaker", None) == cue.speaker]
        crowd = len(mine) and max(len(without_spaces(one.text)) for one in mine) > 200
        assert crowd or any(one.start_ms - 1_000 <= cue.start_ms <= one.end_ms + 1_000 for one in mine)


@settings(deadline=None)
@given(transcripts(), OPTIONS)
def test_srt_and_vtt_say_what_was_cut_to_every_reader(talk: Transcript, options: SubtitleOptions) -> None:
    found = cues(talk, options)
    shown = [(cue.start_ms, cue.end_ms, cue.text.replace("-->", "→")) for cue in found]
    labelled = [
        (start_ms, end_ms, (f"{cue.speaker}: " if cue.speaker else "") + text)
        for (start_ms, end_ms, text), cue in zip(shown, found, strict=True)
    ]
    as_srt = render(talk, "srt", subtitles=options)
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in read_srt(as_srt)] == labelled
    millisecond = timedelta(milliseconds=1)
    parsed = [(cue.start // millisecond, cue.end // millisecond, cue.content) for cue in srt.parse(as_srt)]
    assert parsed == labelled
    as_vtt = [(cue.start_ms, cue.end_ms, cue.text) for cue in read_vtt(render(talk, "vtt", subtitles=options))]
    assert [(start_ms, end_ms, re.sub(r"^<v (left|right)>", "", text)) for start_ms, end_ms, text in as_vtt] == shown


@pytest.mark.parametrize("name", RANGES)
def test_an_option_outside_its_range_is_refused(name: str) -> None:
    lowest, highest = RANGES[name]
    SubtitleOptions(**{name: lowest})
    SubtitleOptions(**{name: highest})
    for value in (lowest - 1, highest + 1, 10.5, True, "42"):
        with pytest.raises(ValueError, match=name):
            SubtitleOptions(**{name: value})
