"""A transcript as a DOCX document, written by a process of its own: python-docx takes 40 MB, which the slim page does not keep."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.transcript import Transcript
from engine.wire import encoded

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120
#: What the process runs: the transcript comes as JSON, and is checked (ValueError) by what reads it.
_CHILD = """
import sys
from engine.documents import to_docx
from engine.transcript import Transcript
from engine.wire import decoded
sys.stdout.buffer.write(to_docx(decoded(sys.stdin.buffer.read(), Transcript)))
"""


class DocumentError(RuntimeError):
    """A document that was not written."""


def document_source(transcript: Transcript) -> str:
    """What of a transcript its document is made of, as JSON: the page holds it until it asks for the document."""
    segments = tuple(replace(one, tokens=(), probabilities={}, alternatives=()) for one in transcript.segments)
    return encoded(replace(transcript, segments=segments, speech_track=np.zeros(0, np.float32)))


def document(source: bytes) -> bytes:
    """The document of :func:`document_source`; DocumentError where it is none, or nothing came of it."""
    try:
        done = subprocess.run(  # noqa: S603 - this Python, our own code
            [sys.executable, "-c", _CHILD], cwd=ROOT, input=source, capture_output=True, timeout=LIMIT_S, check=True
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {error.returncode}"]
        raise DocumentError(said[-1]) from error
    except subprocess.TimeoutExpired as error:
        raise DocumentError(f"nothing after {LIMIT_S} s") from error
    return done.stdout
