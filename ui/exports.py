"""A Transcript as files to download, one a format, in a folder that the page may serve and that is emptied by age."""

from __future__ import annotations

import uuid
from pathlib import Path

from engine.formats import FORMATS, render
from engine.transcript import Transcript


def write_exports(transcript: Transcript, folder: Path) -> dict[str, Path]:
    """Write the transcript in every format under ``folder``, named after the recording: format -> path."""
    target = folder / uuid.uuid4().hex
    target.mkdir(parents=True)
    stem = Path(transcript.file).stem or "transcript"
    paths = {}
    for output_format in FORMATS:
        path = target / f"{stem}.{output_format}"
        path.write_text(render(transcript, output_format), encoding="utf-8")
        paths[output_format] = path
    return paths
