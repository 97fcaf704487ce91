"""The options of subtitles on a command line: the same for one machine and for a cluster."""

from __future__ import annotations

import argparse

from engine.subtitles.options import SubtitleOptions

_DEFAULTS = SubtitleOptions()


def add_subtitle_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--max-line-width``, ``--max-line-count`` and ``--min-cue-ms``."""
    group = parser.add_argument_group("subtitles (srt and vtt)")
    group.add_argument(
        "--max-line-width",
        type=int,
        default=_DEFAULTS.max_line_width,
        metavar="COLUMNS",
        help="longest line; a Chinese, Japanese or Korean character takes two columns (default: %(default)s)",
    )
    group.add_argument(
        "--max-line-count", type=int, default=_DEFAULTS.max_line_count, metavar="LINES", help="lines at a time (default: %(default)s)"
    )
    group.add_argument(
        "--min-cue-ms", type=int, default=_DEFAULTS.min_cue_ms, metavar="MS", help="shortest time on the screen (default: %(default)s)"
    )


def chosen_subtitles(arguments: argparse.Namespace) -> SubtitleOptions:
    """What was chosen; OptionRangeError for a number outside its range."""
    return SubtitleOptions(
        max_line_width=arguments.max_line_width, max_line_count=arguments.max_line_count, min_cue_ms=arguments.min_cue_ms
    )
