"""A job's bundle on a worker, opened once; a worker that lacks it, or has another one, answers with a note instead of an exception.

An actor that fails while it starts is started again and again, and the job fails with it; one that answers *undone* costs a round.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from engine.cluster.archive.notes import Undone
from engine.cluster.job import Job
from engine.errors import LightVoiceError
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session import Session
from engine.runtime.session_pool import open_session
from engine.speech.parts import Parts


@dataclass(frozen=True)
class OpenModels:
    """Models of the job's bundle and precision by name, with what the bundle's requests share."""

    parts: Parts
    sessions: Mapping[str, Session]


def open_models(job: Job, *models: str, slots: CoreSlots | None = None) -> OpenModels | Undone:
    """Open ``asr`` or ``vad`` or both of the job on this machine; Undone with the reason where that cannot be.

    ``slots`` as for :meth:`engine.runtime.session.Session.open`.
    """
    try:
        bundle = job.open_bundle()
        sessions = {
            model: open_session(bundle, model=model, precision=job.precision, device=job.device, threads=job.threads, slots=slots)
            for model in models
        }
        return OpenModels(Parts.load(bundle), sessions)
    except (LightVoiceError, OSError) as error:
        return Undone(worker=socket.gethostname(), message=f"{type(error).__name__}: {error}")
