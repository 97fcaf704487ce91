"""The folders of one server's files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ServerFolders:
    """What lies where below a folder of this server's own; Gradio's uploads lie in it as well."""

    root: Path

    @property
    def exports(self) -> Path:
        """Downloads, which the page may serve."""
        return self.root / "exports"

    @property
    def requests(self) -> Path:
        """Recordings of requests; no client can name the folder, and each is deleted with its request, never by its age."""
        return self.root / "requests"

    @property
    def recordings(self) -> Path:
        """Recordings of the pages' queues, which are kept for as long as their page."""
        return self.root / "recordings"

    @property
    def sent_models(self) -> Path:
        """Files of models that were sent to the Models tab, each deleted when its job is over."""
        return self.root / "models"
