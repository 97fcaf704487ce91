"""The odd recordings of the data folder, and what is right for each, however well a bundle understands them.

Every file speaks digits. Durations, warnings, times and speakers are the reader's and the detector's; of the words only their number
is looked at, and that loosely.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

#: What is said of a transcript's words depends on the weights, not on the file.
ABOUT_WORDS = frozenset({"not_taught", "unsure"})
DURATION_S, START_S = 0.2, 0.3
_DIGIT = re.compile(r"\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class OddFile:
    """One file, how it is to be read, and what must come of it; times in seconds of the file."""

    name: str
    duration_s: float
    #: Digits that are spoken in it.
    digits: int
    starts_s: float
    #: The last segment ends no earlier: nothing behind a joint or a damage is lost.
    reaches_s: float
    warnings: frozenset[str] = frozenset()
    #: Where each channel's speaker begins, where they are told apart.
    speakers_s: Mapping[int, float] = field(default_factory=dict)
    channel: str | None = None
    track: int | None = None
    tracks: int = 1

    @property
    def label(self) -> str:
        """What a test of it is called."""
        return "-".join([self.name, *(str(chosen) for chosen in (self.channel, self.track) if chosen is not None)])

    @property
    def options(self) -> dict[str, str]:
        """What is chosen, by the names of command line and API."""
        chosen = {"channel": self.channel, "track": None if self.track is None else str(self.track)}
        return {name: value for name, value in chosen.items() if value is not None}

    def path(self, data: Path) -> Path:
        """Where it lies; the test is skipped where it does not."""
        path = data / "odd_files" / self.name
        if not path.is_file():
            pytest.skip(f"no odd recording {path}")
        return path

    def check(self, *, duration_s: float, warnings: list[str], text: str, starts_s: list[float], end_s: float) -> None:
        """What an edge made of it: the length, the warnings' types, the text, each segment's start, and the last one's end."""
        assert duration_s == pytest.approx(self.duration_s, abs=DURATION_S)
        assert {warning for warning in warnings if warning not in ABOUT_WORDS} == self.warnings
        assert starts_s and starts_s == sorted(starts_s)
        assert starts_s[0] == pytest.approx(self.starts_s, abs=START_S)
        assert self.reaches_s <= end_s <= duration_s + 0.01
        assert 0.5 * self.digits <= len(_DIGIT.findall(text)) <= 1.3 * self.digits, text

    def check_speakers(self, first_starts_s: Mapping[int, float]) -> None:
        """The channels that somebody speaks in, and where each begins."""
        assert first_starts_s.keys() == self.speakers_s.keys()
        for channel, start_s in self.speakers_s.items():
            assert first_starts_s[channel] == pytest.approx(start_s, abs=START_S)


def _warned(*types: str) -> frozenset[str]:
    return frozenset(types)


ODD_FILES = (
    OddFile(name="two_mp3_joined.mp3", duration_s=9.1, digits=9, starts_s=0.0, reaches_s=8.0),
    OddFile(name="podcast_with_inserted_ad.mp3", duration_s=18.25, digits=18, starts_s=0.0, reaches_s=17.0),
    OddFile(name="chained_opus.ogg", duration_s=9.9, digits=12, starts_s=0.0, reaches_s=9.0),
    OddFile(name="audio_starts_5s_late.mkv", duration_s=20.95, digits=15, starts_s=5.6, reaches_s=19.5),
    OddFile(name="cut.aac", duration_s=9.1, digits=9, starts_s=0.6, reaches_s=8.5, warnings=_warned("breaks_off")),
    OddFile(name="cut.flac", duration_s=8.9, digits=9, starts_s=0.6, reaches_s=8.3, warnings=_warned("ends_early")),
    OddFile(name="cut_fragmented.mp4", duration_s=6.7, digits=5, starts_s=0.8, reaches_s=4.9, warnings=_warned("ends_early")),
    OddFile(name="damaged_200_bytes.m4a", duration_s=15.95, digits=15, starts_s=0.6, reaches_s=14.8, warnings=_warned("damaged")),
    OddFile(name="data_size_0.wav", duration_s=4.5, digits=5, starts_s=0.0, reaches_s=4.0),
    OddFile(name="amr_with_dtx.amr", duration_s=15.96, digits=15, starts_s=0.65, reaches_s=14.8),
    OddFile(name="inverted_stereo.flac", duration_s=5.4, digits=5, starts_s=0.6, reaches_s=4.9),
    OddFile(name="two_tracks_second_default.mp4", duration_s=4.5, digits=5, starts_s=0.0, reaches_s=4.0, tracks=2),
    OddFile(name="two_tracks_second_default.mp4", duration_s=5.4, digits=7, starts_s=0.0, reaches_s=4.9, tracks=2, track=1),
    OddFile(name="call_two_channels_8k.wav", duration_s=7.0, digits=8, starts_s=0.0, reaches_s=4.0),
    OddFile(
        name="call_two_channels_8k.wav",
        duration_s=7.0,
        digits=7,
        starts_s=0.0,
        reaches_s=4.0,
        channel="split",
        speakers_s={1: 0.0, 2: 1.6},
    ),
)

every_odd_file = pytest.mark.parametrize("odd", ODD_FILES, ids=lambda odd: odd.label)
