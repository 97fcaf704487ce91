"""The named endpoints for programs (``gradio_client``): /transcribe, /compare, /set_lightweight, /resources."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import gradio as gr
from gradio.data_classes import FileData
from gradio.events import api
from gradio.utils import get_upload_folder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from engine.audio.waveform import CancelCheck
from engine.compare.compare import comparison_options
from engine.errors import AudioNotFoundError
from engine.files.file_names import printable
from engine.options import TranscribeOptions
from ui.api.gradio_callers import gone
from ui.http.callers import caller_of
from ui.limits import Limits
from ui.scheduling.kept_file import kept_file
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.slot_run import run_in_slot
from ui.status.run_log import RunLog
from ui.status.server_state import ServerState
from ui.widgets.handlers import api_errors

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder
    from engine.speech_engine import SpeechEngine

#: Calls that Gradio starts at a time, to wait for a queue slot; a fixed number of its listeners runs at once.
MOST_CALLS = 16
_CALLS = "calls"


def uploaded_file(audio: object) -> tuple[Path, str]:
    """The path and the name of a file that the caller uploaded; AudioNotFoundError for any other path of this machine.

    Gradio checks only inputs that are marked as uploads; a bare ``{"path": …}`` would arrive unchecked, so it is checked here.
    """
    path = audio.get("path") if isinstance(audio, dict) else audio
    if not isinstance(path, str) or not path:
        raise AudioNotFoundError(path=str(path))
    found, folder = Path(path).resolve(), Path(get_upload_folder()).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise AudioNotFoundError(path=path)
    name = audio.get("orig_name") if isinstance(audio, dict) else None
    return found, printable(Path(name).name if isinstance(name, str) and name else found.name)


def add_endpoints(
    *, engine: SpeechEngine, decoder: Decoder, state: ServerState, limits: Limits, slots: RunSlots, runs: RunLog, requests: Path
) -> None:
    """Register the endpoints on the Blocks that is being built; their names stand in docs/programs.md.

    Recordings lie in the folder ``requests`` while their call lasts.
    """
    answered = partial(_answered, slots, requests)

    async def transcribe(  # noqa: PLR0913, PLR0917 - Gradio makes the endpoint of its signature
        audio: FileData,
        request: gr.Request,
        language: str = "auto",
        itn: bool = True,
        precision: str = "current",
        channel: str = "auto",
        track: int = 0,
        hotwords: str = "",
        homophones: bool = False,
        n_best: int = 1,
    ) -> dict[str, Any]:
        """Transcribe one recording.

        ``audio`` is an uploaded file, ``language`` one of auto, zh, en, yue, ja, ko, ``channel`` one of auto, mix, left, right, split,
        ``track`` a number that /tracks lists, 0 for the default track, ``hotwords`` phrases one a line (docs/hotwords.md), ``n_best`` how
        many readings of each segment are answered.
        """

        def run(path: Path, name: str, cancel_check: CancelCheck) -> dict[str, Any]:
            reading = {"language": language, "itn": itn, "precision": precision, "channel": channel, "track": track or None}
            options = TranscribeOptions.parse({**reading, "hotwords": hotwords, "homophones": homophones, "n_best": n_best})
            recording = decoder.open(path, max_duration_s=limits.duration_s, cancel_check=cancel_check, read=options.read)
            transcript = engine.transcribe(recording, options, file=name, progress=lambda _fraction, _stage: cancel_check())
            runs.record(transcript, source="endpoint")
            return transcript.to_dict()

        return await answered(request, audio, run)

    def tracks(audio: FileData) -> list[dict[str, Any]]:
        """List the audio tracks of a recording."""
        with api_errors():
            path, _ = uploaded_file(audio)
            return [track.to_dict() for track in decoder.tracks(path)]

    async def compare(  # noqa: PLR0913, PLR0917 - as above
        audio: FileData,
        request: gr.Request,
        language: str = "auto",
        itn: bool = True,
        left: str = "fp32",
        right: str = "int8",
        channel: str = "auto",
        track: int = 0,
        hotwords: str = "",
        homophones: bool = False,
    ) -> dict[str, Any]:
        """Run one recording in two precisions and say what differs; the options as those of /transcribe, channels without split."""

        def run(path: Path, name: str, cancel_check: CancelCheck) -> dict[str, Any]:
            reading = {"language": language, "itn": itn, "channel": channel, "track": track or None}
            options = comparison_options({**reading, "hotwords": hotwords, "homophones": homophones})
            waveform = decoder.load(path, max_duration_s=limits.duration_s, cancel_check=cancel_check, read=options.read)
            comparison = engine.compare(
                waveform, options, left=left, right=right, file=name, progress=lambda _fraction, _stage: cancel_check()
            )
            return comparison.to_dict()

        return await answered(request, audio, run)

    def set_lightweight(on: bool) -> dict[str, Any]:
        """Turn lightweight mode on or off for the whole server."""
        with api_errors():
            return state.set_lightweight(on)

    def resources() -> dict[str, Any]:
        """What the process uses now."""
        with api_errors():
            return engine.resources()

    api(transcribe, api_name="transcribe", concurrency_id=_CALLS, concurrency_limit=MOST_CALLS)
    api(tracks, api_name="tracks", concurrency_id=_CALLS, concurrency_limit=MOST_CALLS)
    api(compare, api_name="compare", concurrency_id=_CALLS, concurrency_limit=MOST_CALLS)
    api(set_lightweight, api_name="set_lightweight", queue=False)
    api(resources, api_name="resources", queue=False)


async def _answered(
    slots: RunSlots, requests: Path, request: gr.Request, audio: FileData, run: Callable[[Path, str, CancelCheck], dict[str, Any]]
) -> dict[str, Any]:
    """A call's run in a queue slot; it waits on the event loop, and holds no thread meanwhile.

    However long that takes, its recording is kept: uploads are deleted by their age.
    """
    with api_errors():
        path, name = await run_in_threadpool(uploaded_file, audio)
        keeping = kept_file(path, requests)
        kept = await run_in_threadpool(keeping.__enter__)
        try:
            caller = caller_of(cast("Request", request.request))  # its type is optional, yet Gradio sets it in every call
            return await run_in_slot(slots, caller, gone(request.session_hash), partial(run, kept, name))
        finally:
            await run_in_threadpool(keeping.__exit__, None, None, None)
