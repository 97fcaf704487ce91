"""The named endpoints for programs (``gradio_client``): /transcribe, /compare, /set_lightweight, /resources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gradio.data_classes import FileData
from gradio.events import api
from gradio.utils import get_upload_folder

from engine.errors import AudioNotFoundError
from ui.context import ENGINE_QUEUE, PageContext
from ui.handlers import api_errors


def uploaded_file(audio: object) -> tuple[Path, str]:
    """The path and the name of a file that the caller uploaded; AudioNotFoundError for any other path of this machine.

    Gradio checks only inputs that are marked as uploads; a bare ``{"path": …}`` would reach us unchecked, so we look ourselves.
    """
    path = audio.get("path") if isinstance(audio, dict) else audio
    if not isinstance(path, str) or not path:
        raise AudioNotFoundError(path=str(path))
    found, folder = Path(path).resolve(), Path(get_upload_folder()).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise AudioNotFoundError(path=path)
    name = audio.get("orig_name") if isinstance(audio, dict) else None
    return found, Path(name).name if isinstance(name, str) and name else found.name


def add_endpoints(context: PageContext) -> None:
    """Register the endpoints on the Blocks that is being built; their names are the README's ("For programs")."""

    def transcribe(audio: FileData, language: str = "auto", itn: bool = True, precision: str = "current") -> dict[str, Any]:
        """Transcribe one recording: audio is an uploaded file, language one of auto, zh, en, yue, ja, ko."""
        with api_errors(), context.slots.held():
            path, name = uploaded_file(audio)
            waveform = context.engine.load(path, max_duration_s=context.limits.duration_s)
            return context.engine.transcribe(waveform, language=language, itn=itn, precision=precision, file=name).to_dict()

    def compare(audio: FileData, language: str = "auto", itn: bool = True, left: str = "fp32", right: str = "int8") -> dict[str, Any]:
        """Run one recording in two precisions and say what differs."""
        with api_errors(), context.slots.held():
            path, name = uploaded_file(audio)
            waveform = context.engine.load(path, max_duration_s=context.limits.duration_s)
            return context.engine.compare(waveform, language=language, itn=itn, left=left, right=right, file=name).to_dict()

    def set_lightweight(on: bool) -> dict[str, Any]:
        """Turn lightweight mode on or off for the whole server."""
        with api_errors():
            return context.state.set_lightweight(on)

    def resources() -> dict[str, Any]:
        """What the process uses now."""
        with api_errors():
            return context.engine.resources()

    limit = context.limits.concurrent_runs
    api(transcribe, api_name="transcribe", concurrency_id=ENGINE_QUEUE, concurrency_limit=limit)
    api(compare, api_name="compare", concurrency_id=ENGINE_QUEUE, concurrency_limit=limit)
    api(set_lightweight, api_name="set_lightweight", queue=False)
    api(resources, api_name="resources", queue=False)
