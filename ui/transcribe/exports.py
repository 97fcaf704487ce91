"""Transcripts as downloads: one in one format, or all of a queue in one zip; every name safe on every system."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable

from engine.documents import written
from engine.files.distinct_names import DistinctNames
from engine.files.file_names import printable, shortened
from engine.subtitles.options import SubtitleOptions
from engine.transcript import Transcript

#: Downloads in the order that people reach for them.
TEXT_DOWNLOADS = ("txt", "srt", "vtt", "json", "csv")
DOWNLOADS = (*TEXT_DOWNLOADS, "docx")
LONGEST_STEM, LONGEST_STEM_BYTES = 100, 200
#: What Windows, macOS or Linux do not allow in a file's name, and control characters.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
MEDIA_TYPES = {
    "txt": "text/plain; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


def file_stem(name: str) -> str:
    """A recording's name as the name of a download, without its ending: ``"../a/b: talk.mp4"`` -> ``"b_ talk"``."""
    base = re.split(r"[/\\]", name)[-1]
    stem = base.rsplit(".", 1)[0] if "." in base.lstrip(".") else base
    stem = shortened(_FORBIDDEN.sub("_", printable(stem))[:LONGEST_STEM], LONGEST_STEM_BYTES).strip(" .")
    return f"_{stem}" if _RESERVED.fullmatch(stem) else stem or "transcript"


def download(transcript: Transcript, output_format: str, *, subtitles: SubtitleOptions | None = None) -> tuple[str, bytes]:
    """The name and the bytes of a download; UnknownFormatError for a format that is not written."""
    return f"{file_stem(transcript.file)}.{output_format}", written(transcript, output_format, subtitles=subtitles)


def zip_of_all(transcripts: Iterable[Transcript], *, subtitles: SubtitleOptions | None = None) -> bytes:
    """A zip of every transcript in every format; recordings of one name get -2, -3, … so that none is lost."""
    packed = io.BytesIO()
    names = DistinctNames()
    with zipfile.ZipFile(packed, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for transcript in transcripts:
            stem = names.take(file_stem(transcript.file))
            for output_format in DOWNLOADS:
                archive.writestr(f"{stem}.{output_format}", written(transcript, output_format, subtitles=subtitles))
    return packed.getvalue()
