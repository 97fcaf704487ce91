"""A session as one request has it: its runs end when the request is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from engine.runtime.session import Session
from engine.runtime.stop_signal import StopSignal


class StoppableSession:
    """What recognition needs of a session; raises RunStoppedError for a run that ``stop`` ended."""

    def __init__(self, session: Session, stop: StopSignal) -> None:
        self._session, self._stop = session, stop
        self.path: Path = session.path

    @property
    def input_names(self) -> Sequence[str]:
        """As the session's."""
        return self._session.input_names

    @property
    def output_names(self) -> Sequence[str]:
        """As the session's."""
        return self._session.output_names

    def metadata_ids(self, name: str) -> tuple[int, ...]:
        """As the session's."""
        return self._session.metadata_ids(name)

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As the session's."""
        return self._session.run(output_names, feeds, stop=self._stop)
