"""A model of the catalog → downloads → a bundle: with progress, resumed where it stopped, checked, never half there.

Files land in a downloads folder under their final names only when they are whole and their sha256 is the hub's; the bundle appears when
everything in it is made and checked. What is whole already is not asked for again, and needs no network.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.bundle_roots import bundles_folder
from engine.errors import LightVoiceError
from engine.files.cache_folder import cache_folder
from engine.files.content import sha256_of
from engine.files.sizes import BYTES_PER_MB
from models.bundle.disk import require_space
from models.fetch.catalog import CatalogModel, Repository, Source, find_model
from models.fetch.hubs import HUBS, Hub, HubError, RemoteFile, offline_variable

log = logging.getLogger(__name__)

#: (share of all bytes, or None; what is being done; seconds left, or None), as :func:`models.jobs.progress.report` takes it.
Report = Callable[[float | None, str, float | None], None]
#: Makes a bundle: (folder with SenseVoice, folder with FSMN-VAD, bundle to write, its name).
Build = Callable[[Path, Path, Path, str], Path]

RECORD = "fetched.json"
#: The rate is that of the last seconds, not of the whole download: a stalled line shows at once.
RATE_WINDOW_S = 5.0
REPORTS_PER_S = 5


class FetchError(LightVoiceError):
    """A model could not be fetched; the message says from where, why, and what else can be done."""


class ChecksumError(FetchError):
    """A file is not the one that the hub promised; it was deleted."""


@dataclass(frozen=True)
class _Wanted:
    """One file of one repository and where it goes."""

    repository: Repository
    file: RemoteFile
    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / self.file.path

    @property
    def key(self) -> str:
        return f"{self.repository.folder}/{self.file.path}"


class Progress:
    """Bytes over all files of a fetch, told a few times a second."""

    def __init__(self, total_bytes: int, report: Report | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total_bytes, self.done_bytes = total_bytes, 0
        self._report, self._clock = report, clock
        self._seen = [(clock(), 0)]
        self._told = float("-inf")
        self._name = ""

    def begin(self, name: str) -> None:
        """The next file."""
        self._name = name

    def add(self, count: int) -> None:
        """So many bytes came."""
        self.done_bytes = min(self.total_bytes, self.done_bytes + max(0, count))
        now = self._clock()
        self._seen = [(when, done) for when, done in self._seen if now - when <= RATE_WINDOW_S] or self._seen[-1:]
        self._seen.append((now, self.done_bytes))
        if now - self._told >= 1 / REPORTS_PER_S or self.done_bytes == self.total_bytes:
            self._told = now
            self.tell()

    def jump(self, done_bytes: int) -> None:
        """A file is whole: whatever was counted on the way, so much is done."""
        self.done_bytes = done_bytes

    @property
    def bytes_per_s(self) -> float:
        """Rate over the last seconds; 0 before anything came."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def tell(self) -> None:
        """Report where it stands."""
        if self._report is None:
            return
        rate = self.bytes_per_s
        left_s = (self.total_bytes - self.done_bytes) / rate if rate else None
        share = self.done_bytes / self.total_bytes if self.total_bytes else 1.0
        done, total = self.done_bytes / BYTES_PER_MB, self.total_bytes / BYTES_PER_MB
        self._report(share, f"{self._name}  {done:.0f} / {total:.0f} MB  {rate / BYTES_PER_MB:.1f} MB/s", left_s)


def downloads_folder(name: str) -> Path:
    """Where downloads of a model lie."""
    return cache_folder() / "downloads" / name


def _build(asr: Path, vad: Path, output: Path, name: str) -> Path:
    from models.export.import_folder import import_folder

    return import_folder(asr, output, vad_folder=vad, name=name)


def fetch(
    name: str,
    *,
    source: str | None = None,
    output: Path | None = None,
    downloads: Path | None = None,
    progress: Report | None = None,
    build: Build = _build,
) -> Path:
    """Download a model of the catalog and make a bundle of it: -> the bundle's folder.

    ``source`` is a hub, or None to ask one after the other. Raises UnknownModelError, UnknownSourceError, FetchError, ChecksumError,
    DiskFullError, and what :func:`models.export.import_folder.import_folder` raises.
    """
    model = find_model(name)
    output = output or bundles_folder() / name
    if output.exists():
        raise FetchError(f"{output} is there already; delete it to fetch {name} again, or choose another --output")
    folder = downloads or downloads_folder(name)
    sources = [Source(source)] if source in {str(known) for known in Source} else list(model.origins)
    if source is not None:
        model.origin(source)  # UnknownSourceError
    bundle_bytes = model.bundle_mb * BYTES_PER_MB
    require_space(output.parent, bundle_bytes)
    beside_bytes = bundle_bytes if _disk_of(folder) == _disk_of(output.parent) else 0
    asr, vad = _download(model, sources, folder, progress, beside_bytes=beside_bytes)
    if progress is not None:
        progress(None, "making the bundle", None)
    output.parent.mkdir(parents=True, exist_ok=True)
    return build(asr, vad, output, name)


def _disk_of(folder: Path) -> int:
    """The device that a folder is on, or will be on once it is made."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    return place.stat().st_dev


def _download(
    model: CatalogModel, sources: Iterable[Source], folder: Path, report: Report | None, *, beside_bytes: int
) -> tuple[Path, Path]:
    """The folders of both repositories, whole; the first source that can give them."""
    sources = list(sources)
    for source in sources:
        if _is_whole(model, source, folder / source):
            log.info("%s is downloaded already: %s", model.name, folder / source)
            return _folders(model, source, folder)
    forbidden = offline_variable()
    if forbidden is not None:
        raise FetchError(f"{forbidden} forbids the network and {model.name} is not in {folder}; unset it, or {_remedies()}")
    failures = []
    for source in sources:
        hub = HUBS[source]()
        try:
            _download_from(model, hub, folder / source, report, beside_bytes=beside_bytes)
        except HubError as error:
            failures.append(str(error))
            log.warning("%s", error)
            continue
        return _folders(model, source, folder)
    raise FetchError(f"{model.name} could not be fetched: {'; '.join(failures)}. What helps: {_remedies()}")


def _remedies() -> str:
    return (
        "a mirror (HF_ENDPOINT=https://… or MODELSCOPE_ENDPOINT=https://…), the other --source, a local folder "
        "(`python -m models import FOLDER --output BUNDLE`), or the embedded starter, which needs no network"
    )


def _folders(model: CatalogModel, source: Source, folder: Path) -> tuple[Path, Path]:
    origin = model.origins[source]
    return folder / source / origin.asr.folder, folder / source / origin.vad.folder


def _is_whole(model: CatalogModel, source: Source, folder: Path) -> bool:
    """Whether a download was finished there and every file of it is still the one that was recorded."""
    record = _read_record(folder)
    origin = model.origins[source]
    needed = {f"{repository.folder}/{name}" for repository in (origin.asr, origin.vad) for name in repository.files}
    if not record.finished or not needed <= set(record.files):
        return False
    return all(_is_recorded(folder / name, entry) for name, entry in record.files.items())


def _is_recorded(path: Path, entry: dict[str, Any]) -> bool:
    """Whether a file has the size and the sha256 of its record: a second or two for a gigabyte, against minutes of export."""
    return path.is_file() and path.stat().st_size == entry["bytes"] and sha256_of(path) == entry["sha256"]


@dataclass(frozen=True)
class _Record:
    """What a downloads folder holds, by path: bytes and sha256 of each file, and whether the last download was finished."""

    files: dict[str, dict[str, Any]]
    finished: bool


def _read_record(folder: Path) -> _Record:
    try:
        values = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return _Record(files=dict(values["files"]), finished=bool(values["finished"]))
    except (OSError, ValueError, KeyError, TypeError):
        return _Record(files={}, finished=False)  # none yet, or torn: files are checked again


def _write_record(folder: Path, record: _Record) -> None:
    partial = folder / f"{RECORD}.partial"
    partial.write_text(json.dumps(vars(record), indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / RECORD)


def _download_from(model: CatalogModel, hub: Hub, folder: Path, report: Report | None, *, beside_bytes: int) -> None:
    """Bring what is not there yet from one hub, with ``beside_bytes`` left over; HubError, ChecksumError, DiskFullError."""
    origin = model.origins[hub.source]
    log.info("asking %s for %s", hub.host, model.name)
    wanted = [entry for repository in (origin.asr, origin.vad) for entry in _wanted(repository, hub, folder)]
    recorded = dict(_read_record(folder).files)
    left = [entry for entry in wanted if not _is_there(entry, recorded)]
    missing_bytes = sum(entry.file.size_bytes for entry in left)
    require_space(folder, missing_bytes + beside_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    progress = Progress(sum(entry.file.size_bytes for entry in wanted), report)
    done = progress.total_bytes - missing_bytes
    progress.jump(done)
    for entry in left:
        progress.begin(Path(entry.file.path).name)
        entry.path.unlink(missing_ok=True)  # what is there is not what the hub has; its library would believe its own notes
        hub.download(entry.repository.repo, entry.file, entry.folder, progress.add)
        _check(entry, hub)
        recorded[entry.key] = {"bytes": entry.path.stat().st_size, "sha256": sha256_of(entry.path)}
        _write_record(folder, _Record(recorded, finished=False))
        done += entry.file.size_bytes
        progress.jump(done)
        progress.tell()
    kept = {entry.key: recorded.get(entry.key) or {"bytes": entry.path.stat().st_size, "sha256": sha256_of(entry.path)} for entry in wanted}
    _write_record(folder, _Record(kept, finished=True))


def _wanted(repository: Repository, hub: Hub, folder: Path) -> list[_Wanted]:
    """The files that are needed, and the optional ones that the hub has; HubError where one that is needed is not there."""
    listed = hub.listing(repository.repo)
    lost = [name for name in repository.files if name not in listed]
    if lost:
        raise HubError(source=hub.source, host=hub.host, reason=f"{repository.repo} has no {', '.join(lost)} any more")
    names = [*repository.files, *(name for name in repository.optional if name in listed)]
    return [_Wanted(repository, listed[name], folder / repository.folder) for name in names]


def _is_there(entry: _Wanted, recorded: dict[str, dict[str, Any]]) -> bool:
    """Whether a file lies there whole: as recorded, or with the hub's sha256."""
    if not entry.path.is_file() or entry.path.stat().st_size != entry.file.size_bytes:
        return False
    known = recorded.get(entry.key)
    if entry.file.sha256 is None:
        return known is not None and _is_recorded(entry.path, known)
    return sha256_of(entry.path) == entry.file.sha256.lower()


def _check(entry: _Wanted, hub: Hub) -> None:
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
