"""The files of a repository that a model needs, and whether they are the ones that the hub states and the catalog knows."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import LightVoiceError
from engine.files.content import sha256_of
from models.fetch.catalog import Repository
from models.fetch.download_record import is_recorded
from models.fetch.hubs import Hub, HubError, RemoteFile
from models.jobs.failure_kind import FailureKind

log = logging.getLogger(__name__)


class FetchError(LightVoiceError):
    """A model could not be fetched; the message says from where, why, and what else can be done."""

    def __init__(self, message: str, *, kind: FailureKind = FailureKind.UNREACHABLE) -> None:
        self.kind = kind
        super().__init__(message)


class ChecksumError(FetchError):
    """A file is not the one that the hub promised; it was deleted."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind=FailureKind.OTHER_FILE)


@dataclass(frozen=True)
class WantedFile:
    """One file of one repository and where it goes."""

    repository: Repository
    file: RemoteFile
    folder: Path

    @property
    def path(self) -> Path:
        """Where it goes."""
        return self.folder / self.file.path

    @property
    def key(self) -> str:
        """What the record calls it."""
        return f"{self.repository.folder}/{self.file.path}"


def wanted_files(repository: Repository, hub: Hub, folder: Path) -> list[WantedFile]:
    """The files that are needed, one of each choice, and the optional ones that the hub has.

    HubError where one that is needed is not there, or where the hub states another file than the catalog knows.
    """
    listed = hub.listing(repository.repo)
    chosen = [next((name for name in choice if name in listed), " or ".join(choice)) for choice in repository.choices]
    lost = [name for name in (*repository.files, *chosen) if name not in listed]
    if lost:
        raise HubError(source=hub.source, host=hub.host, reason=f"{repository.repo} has no {', '.join(lost)} any more")
    names = [*repository.files, *chosen, *(name for name in repository.optional if name in listed)]
    return [WantedFile(repository, _pinned(repository, listed[name], hub), folder / repository.folder) for name in names]


def _pinned(repository: Repository, file: RemoteFile, hub: Hub) -> RemoteFile:
    """A hub's file with the sha256 that the catalog knows; HubError where the hub states another size or sha256."""
    pin = repository.pins.get(file.path)
    if pin is None:
        return file
    stated = file.sha256.lower() if file.sha256 else pin.sha256
    if file.size_bytes != pin.size_bytes or stated != pin.sha256:
        raise HubError(
            source=hub.source,
            host=hub.host,
            reason=f"its {file.path} of {repository.repo} ({file.size_bytes} bytes, sha256 {stated[:12]}…) is not the published one "
            f"({pin.size_bytes} bytes, sha256 {pin.sha256[:12]}…) and is refused; use the other --source",
            kind=FailureKind.OTHER_FILE,
        )
    return replace(file, sha256=pin.sha256)


def is_there(entry: WantedFile, recorded: dict[str, dict[str, Any]]) -> bool:
    """Whether a file lies there whole: as recorded, or with the hub's sha256."""
    if not entry.path.is_file() or entry.path.stat().st_size != entry.file.size_bytes:
        return False
    known = recorded.get(entry.key)
    if entry.file.sha256 is None:
        return known is not None and is_recorded(entry.path, known)
    return sha256_of(entry.path) == entry.file.sha256.lower()


def check_arrived(entry: WantedFile, hub: Hub) -> None:
    """ChecksumError, and the file deleted, where it is not what the hub stated."""
    path = entry.path
    if not path.is_file():
        raise HubError(source=hub.source, host=hub.host, reason=f"{entry.file.path} did not arrive")
    got_bytes = path.stat().st_size
    if got_bytes != entry.file.size_bytes:
        path.unlink()
        raise ChecksumError(
            f"{path.name} has {got_bytes} bytes where {hub.host} states {entry.file.size_bytes}; it was deleted, fetch again"
        )
    if entry.file.sha256 is not None and (got := sha256_of(path)) != entry.file.sha256.lower():
        path.unlink()
        raise ChecksumError(
            f"{path.name} has the sha256 {got[:12]}… where {hub.host} states {entry.file.sha256[:12]}…; it was deleted, fetch again"
        )
