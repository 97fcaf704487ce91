"""How subtitles are to be cut: the options of the command line, the API and the page, and the limits that nobody chooses."""

from __future__ import annotations

from dataclasses import dataclass

from engine.option_fields import check_ranges

#: Smallest and largest value of each option; the names are those of :class:`SubtitleOptions`.
RANGES: dict[str, tuple[int, int]] = {
    "max_line_width": (10, 200),
    "max_line_count": (1, 4),
    "min_cue_ms": (0, 5_000),
}
MAX_CUE_MS = 7_000  # a subtitle that stays longer is read twice


@dataclass(frozen=True, kw_only=True)
class SubtitleOptions:
    """Lines of at most 42 columns (a CJK character takes two), two lines, 0.8 s; OptionRangeError outside :data:`RANGES`."""

    max_line_width: int = 42
    max_line_count: int = 2
    min_cue_ms: int = 800

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
