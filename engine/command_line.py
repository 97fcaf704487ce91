"""The options of a transcription and of its subtitles on a command line, the same for one machine and for a cluster; its commands."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.audio.read_options import CHANNELS
from engine.audio.sandbox.decoder import DecodeLimits
from engine.documents import DOCUMENT_FORMATS
from engine.formats import FORMATS
from engine.option_fields import flat_fields, parse_fields
from engine.options import DEFAULT_OPTIONS, N_BEST, TranscribeOptions
from engine.speech.decoding.hotwords import Hotword, parse_hotwords, read_hotwords
from engine.subtitles.options import SubtitleOptions
from engine.watch.arrivals import SETTLE_S

#: What --format takes.
OUTPUTS = (*FORMATS, *DOCUMENT_FORMATS)
#: Endings that no phrase has: a misspelt name of a file is no hotword.
HOTWORD_FILES = (".txt", ".csv", ".tsv", ".lst")


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def add_transcribe_command(parser: argparse.ArgumentParser) -> None:
    """Add what ``transcribe`` takes: files, where their results go and as what, and the options of a transcription."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="audio or video files, or - for standard input")
    parser.add_argument("--format", default="json", metavar="|".join(OUTPUTS), help="output (default: %(default)s, an object a line)")
    parser.add_argument("--output-dir", type=Path, help="write one file per recording here instead of to stdout")
    parser.add_argument("--redo", action="store_true", help="transcribe again what an earlier run into the folder finished")
    add_transcribe_options(parser)
    parser.add_argument("--list-tracks", action="store_true", help="list the files' audio tracks, an object a line, and do no more")
    _add_longest(parser)


def add_watch_command(parser: argparse.ArgumentParser) -> None:
    """Add what ``watch`` takes: the folder, where results go and as what, and the options of a transcription."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder whose recordings are transcribed, those of its subfolders too")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="results, in the same subfolders; may be the folder itself"
    )
    parser.add_argument("--format", default="json", metavar="|".join(OUTPUTS), help="output (default: %(default)s)")
    parser.add_argument("--once", action="store_true", help="do what is there, and end")
    parser.add_argument("--redo", action="store_true", help="do again what is done, and what has failed")
    parser.add_argument(
        "--settle-s",
        type=float,
        default=SETTLE_S,
        metavar="S",
        help="a file is complete when it has not changed for so long (default: %(default)s s)",
    )
    add_transcribe_options(parser)
    _add_longest(parser)


def _add_longest(parser: argparse.ArgumentParser) -> None:
    longest_s = DecodeLimits.duration_s
    parser.add_argument("--max-duration-s", type=float, default=longest_s, help="refuse longer recordings (default: %(default)s s)")


def add_transcribe_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each choice of :class:`TranscribeOptions` that a command line offers, and those of the subtitles."""
    parser.add_argument(
        "--language", default="auto", help="auto, zh, en, yue, ja or ko, or a tag or name such as zh-CN or Cantonese (default: %(default)s)"
    )
    parser.add_argument(
        "--channel",
        default="auto",
        metavar="|".join(CHANNELS),
        help="auto mixes the channels, without those that cancel each other or carry no speech; split takes each for a speaker's",
    )
    parser.add_argument("--track", type=positive, metavar="N", help="audio track, from 1 (default: the one that the file marks)")
    parser.add_argument("--itn", action=argparse.BooleanOptionalAction, default=True, help="inverse text normalization")
    parser.add_argument("--ban-emo-unknown", action="store_true", help="never answer EMO_UNKNOWN: take the likeliest emotion")
    parser.add_argument(
        "--hotwords",
        default="",
        metavar="FILE|TEXT",
        help="names and phrases to listen for, one a line or between commas, each with a weight if you like: '张三, 重庆火锅 3.0'",
    )
    parser.add_argument("--homophones", action="store_true", help="Chinese hotwords also by their sound: 章叁 becomes 张三")
    parser.add_argument(
        "--n-best", type=int, default=1, metavar="N", help=f"readings of each segment in the JSON, up to {N_BEST[1]} (default: %(default)s)"
    )
    defaults = {**DEFAULT_OPTIONS.to_dict(), **flat_fields(SubtitleOptions())}
    for name, kind in (("speech_noise_threshold", float), ("max_end_silence_ms", int), ("max_segment_ms", int)):
        parser.add_argument(_flag(name), type=kind, default=defaults[name], help="VAD threshold (default: %(default)s)")
    group = parser.add_argument_group("subtitles (srt and vtt)")
    for name, unit, words in (
        ("max_line_width", "COLUMNS", "longest line; a Chinese, Japanese or Korean character takes two columns"),
        ("max_line_count", "LINES", "lines at a time"),
        ("min_cue_ms", "MS", "shortest time on the screen"),
    ):
        group.add_argument(_flag(name), type=int, default=defaults[name], metavar=unit, help=f"{words} (default: %(default)s)")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def chosen_options(arguments: argparse.Namespace) -> TranscribeOptions:
    """What was chosen, ``--precision`` among it; OptionError for what is not on offer."""
    return TranscribeOptions.parse({**vars(arguments), "hotwords": named_hotwords(arguments.hotwords)})


def named_hotwords(named: str) -> tuple[Hotword, ...]:
    """The hotwords of a file, or of a text that is none; HotwordsFileError for the name of a file that is not there."""
    if _names_a_file(named):
        return read_hotwords(Path(named).expanduser())
    return parse_hotwords(named)


def _names_a_file(named: str) -> bool:
    if "\n" in named:
        return False
    if named.startswith(("/", "./", "../", "~/")) or Path(named).suffix.lower() in HOTWORD_FILES:
        return True
    try:
        return bool(named) and Path(named).is_file()
    except OSError:  # longer than any file's name
        return False


def chosen_subtitles(arguments: argparse.Namespace) -> SubtitleOptions:
    """How the subtitles are to be cut; OptionRangeError for a number outside its range."""
    return parse_fields(SubtitleOptions, vars(arguments))
