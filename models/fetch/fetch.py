"""A model of the catalog → downloads → a bundle: with progress, resumed where it stopped, checked, never half there.

Files land in a downloads folder under their final names only when they are whole and their sha256 is the hub's; the bundle appears when
everything in it is made and checked. What is whole already is not asked for again, and needs no network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.bundle_roots import bundles_folder
from engine.files.cache_folder import cache_folder
from engine.files.claimed_folder import claimed_folder
from engine.files.content import sha256_of
from engine.files.sizes import BYTES_PER_MB
from models.bundle.disk import require_space
from models.fetch.byte_progress import Progress, Report
from models.fetch.catalog import CatalogModel, Origin, Source, find_model
from models.fetch.download_record import Record, is_recorded, read_record, write_record
from models.fetch.held import is_completed_by
from models.fetch.hubs import Hub, HubError, offline_variable
from models.fetch.known_hubs import HUBS
from models.fetch.nearest import nearest_first
from models.fetch.wanted import FetchError, WantedFile, check_arrived, is_there, wanted_files
from models.jobs.failure_kind import FailureKind

log = logging.getLogger(__name__)

#: What is said while the bundle is made of what was downloaded; the page has it in its own languages.
MAKING = "making the bundle"
#: Makes a bundle: (folder with SenseVoice, folder with FSMN-VAD, bundle to write, its name).
Build = Callable[[Path, Path, Path, str], Path]


def downloads_folder(name: str) -> Path:
    """Where downloads of a model lie."""
    return cache_folder() / "downloads" / name


def _build(asr: Path, vad: Path, output: Path, name: str) -> Path:
    from models.export.import_folder import import_folder

    return import_folder(asr, output, vad_folder=vad, name=name)


def fetch(
    name: str,
    *,
    edition: str | None = None,
    source: str | None = None,
    output: Path | None = None,
    downloads: Path | None = None,
    progress: Report | None = None,
    build: Build = _build,
) -> Path:
    """Download a model of the catalog and make a bundle of it: -> the bundle's folder.

    ``edition`` is one of the catalog's, or None for the model of that very name; ``source`` is a hub, or None for the one first that
    answers first (:mod:`models.fetch.nearest`).
    A bundle that has fewer variants than the edition is replaced when the new one is whole.

    Raises UnknownModelError, UnknownSourceError, FetchError, ChecksumError, DiskFullError, and what
    :func:`models.export.import_folder.import_folder` raises.
    """
    model = find_model(name, edition=edition)
    output = output or bundles_folder() / model.bundle
    completes = is_completed_by(output, model)
    if output.exists() and not completes:
        message = f"{output} is there already; delete it to fetch {model.name} again, or choose another --output"
        raise FetchError(message, kind=FailureKind.OTHER)
    folder = downloads or downloads_folder(model.name)
    sources = [Source(source)] if source in {str(known) for known in Source} else list(model.origins)
    if source is not None:
        model.origin(source)  # UnknownSourceError
    bundle_bytes = model.bundle_mb * BYTES_PER_MB
    require_space(output.parent, bundle_bytes)
    beside_bytes = bundle_bytes if _disk_of(folder) == _disk_of(output.parent) else 0
    asr, vad = _download(model, sources, folder, progress, beside_bytes=beside_bytes)
    if progress is not None:
        progress(None, MAKING, None)
    output.parent.mkdir(parents=True, exist_ok=True)
    if not completes:
        return build(asr, vad, output, model.bundle)
    with claimed_folder(output.parent, ".fetched-") as temporary:
        build(asr, vad, temporary / "new", model.bundle)
        output.rename(temporary / "old")
        (temporary / "new").rename(output)
    return output


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
        message = f"{forbidden} forbids the network and {model.name} is not in {folder}; unset it, or {_remedies()}"
        raise FetchError(message, kind=FailureKind.OFFLINE)
    if len(sources) > 1:
        sources = nearest_first({source: model.origins[source].asr.repo for source in sources})
    failures: list[str] = []
    kinds: set[FailureKind] = set()
    for source in sources:
        hub = HUBS[source]()
        try:
            _download_from(model, hub, folder / source, report, beside_bytes=beside_bytes)
        except HubError as error:
            failures.append(str(error))
            kinds.add(error.kind)
        except ModuleNotFoundError as error:
            failures.append(f"{source} needs the package {error.name}, which is not installed")
            kinds.add(FailureKind.PACKAGES)
        else:
            return _folders(model, source, folder)
        log.warning("%s", failures[-1])
    kind = next(iter(kinds)) if len(kinds) == 1 else FailureKind.OTHER_FILE if FailureKind.OTHER_FILE in kinds else FailureKind.UNREACHABLE
    raise FetchError(f"{model.name} could not be fetched: {'; '.join(failures)}. What helps: {_remedies()}", kind=kind)


def _remedies() -> str:
    return (
        "a mirror (HF_ENDPOINT=https://… or MODELSCOPE_ENDPOINT=https://…), the other --source, a folder or archive that somebody carried "
        "here (`python -m models import FILE --output BUNDLE`), or the embedded starter, which needs no network"
    )


def _folders(model: CatalogModel, source: Source, folder: Path) -> tuple[Path, Path]:
    origin = model.origins[source]
    return folder / source / origin.asr.folder, folder / source / origin.vad.folder


def _example_files(origin: Origin, hub: Hub, folder: Path) -> list[WantedFile]:
    """The recordings for the self-test; a hub that does not give them does not keep anybody from the model."""
    found = []
    for repository in origin.examples:
        try:
            found += wanted_files(repository, hub, folder)
        except HubError as error:
            log.warning("without the recordings of the self-test: %s", error)
    return found


def _is_whole(model: CatalogModel, source: Source, folder: Path) -> bool:
    """Whether a download was finished there and every file of it is still the one that was recorded."""
    record = read_record(folder)
    origin = model.origins[source]
    for repository in (origin.asr, origin.vad):
        held = {name.removeprefix(f"{repository.folder}/") for name in record.files if name.startswith(f"{repository.folder}/")}
        if not set(repository.files) <= held or not all(held.intersection(choice) for choice in repository.choices):
            return False
    if not record.finished:
        return False
    return all(is_recorded(folder / name, entry) for name, entry in record.files.items())


def _download_from(model: CatalogModel, hub: Hub, folder: Path, report: Report | None, *, beside_bytes: int) -> None:
    """Bring what is not there yet from one hub, with ``beside_bytes`` left over; HubError, ChecksumError, DiskFullError."""
    origin = model.origins[hub.source]
    log.info("asking %s for %s", hub.host, model.name)
    wanted = [entry for repository in (origin.asr, origin.vad) for entry in wanted_files(repository, hub, folder)]
    wanted += _example_files(origin, hub, folder)
    recorded = dict(read_record(folder).files)
    left = [entry for entry in wanted if not is_there(entry, recorded)]
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
        check_arrived(entry, hub)
        recorded[entry.key] = {"bytes": entry.path.stat().st_size, "sha256": sha256_of(entry.path)}
        write_record(folder, Record(recorded, finished=False))
        done += entry.file.size_bytes
        progress.jump(done)
        progress.tell()
    kept = {entry.key: recorded.get(entry.key) or {"bytes": entry.path.stat().st_size, "sha256": sha256_of(entry.path)} for entry in wanted}
    write_record(folder, Record(kept, finished=True))
