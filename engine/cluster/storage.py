"""A path or URL → bytes: folders of this machine and object storage (S3, GCS, Azure, HDFS) through pyarrow, the rest through fsspec.

Credentials and endpoints come from the environment, as the store's own tools read them (``AWS_ACCESS_KEY_ID``,
``AWS_ENDPOINT_URL``, …): every worker needs them, and none of them passes through a job's arguments or its report.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from engine.errors import SourceError
from engine.files.content import sha256_of

CHUNK_BYTES = 1 << 20
#: What pyarrow opens by itself; any other scheme is asked of fsspec.
_ARROW_SCHEMES = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"})


@dataclass(frozen=True)
class Place:
    """One path on one file system; ``url`` is how it was written."""

    url: str
    filesystem: Any
    path: str

    @property
    def local(self) -> Path | None:
        """The path where it lies on this machine; None elsewhere."""
        return Path(self.path) if urlsplit(self.url).scheme in ("", "file") else None


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """A file by its URL, with its size where the store states it."""

    url: str
    size_bytes: int | None = None


def place(url: str) -> Place:
    """Where a path or URL points; SourceError for a scheme that nothing here opens. Does not contact the store."""
    parts = urlsplit(url)
    try:
        if parts.scheme in ("", "file"):
            local = Path(parts.path if parts.scheme else url).absolute()
            return Place(url, _filesystem("file", ""), local.as_posix())
        path = f"{parts.netloc}{parts.path}".rstrip("/")
        return Place(url, _filesystem(parts.scheme, parts.netloc), path)
    except (ValueError, ImportError, OSError) as error:
        raise SourceError(source=url, reason=reason_of(error)) from error


@functools.cache
def _filesystem(scheme: str, host: str) -> Any:
    """One client per scheme and bucket for the whole process: a client holds connections."""
    from pyarrow import fs

    if scheme == "file":
        return fs.LocalFileSystem()
    if scheme == "s3" and os.environ.get("AWS_ENDPOINT_URL"):
        endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        return fs.S3FileSystem(endpoint_override=endpoint.netloc, scheme=endpoint.scheme, region=region)
    if scheme in _ARROW_SCHEMES:
        return fs.FileSystem.from_uri(f"{scheme}://{host}")[0]
    import fsspec

    return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme)))


def reason_of(error: Exception) -> str:
    """The reason of a store or a disk on one line."""
    said = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)) or type(error).__name__
    return " ".join(said.split())


def listing(url: str) -> list[StoredFile]:
    """Every file at or below a URL, by name; SourceError where it is not there or may not be listed."""
    from pyarrow import fs

    root = place(url)
    try:
        info = root.filesystem.get_file_info(root.path)
        if info.type is fs.FileType.NotFound:
            raise SourceError(source=url, reason="there is no such file or folder")
        if info.type is fs.FileType.File:
            return [StoredFile(url=url, size_bytes=info.size)]
        entries = root.filesystem.get_file_info(fs.FileSelector(root.path, recursive=True))
    except OSError as error:
        raise SourceError(source=url, reason=reason_of(error)) from error
    files = sorted((entry.path, entry.size) for entry in entries if entry.type is fs.FileType.File)
    return [StoredFile(url=_below(url, root.path, path), size_bytes=size) for path, size in files]


def _below(url: str, root: str, path: str) -> str:
    return f"{url.rstrip('/')}/{PurePosixPath(path).relative_to(root).as_posix()}"


def sizes(urls: list[str]) -> list[int | None]:
    """Bytes of each file; None where the store does not say, or nothing is there: reading it raises the reason."""
    from pyarrow import fs

    def size(url: str) -> int | None:
        try:
            target = place(url)
            info = target.filesystem.get_file_info(target.path)
        except (SourceError, OSError):
            return None
        return int(info.size) if info.type is fs.FileType.File and info.size is not None else None

    return [size(url) for url in urls]


def read_bytes(url: str) -> bytes:
    """A whole small file; SourceError where it cannot be read."""
    target = place(url)
    try:
        with target.filesystem.open_input_stream(target.path) as stream:
            return bytes(stream.read())
    except OSError as error:
        raise SourceError(source=url, reason=reason_of(error)) from error


@dataclass(frozen=True)
class Content:
    """A recording's bytes as a file of this machine, with their SHA-256."""

    path: Path
    sha256: str


@contextmanager
def fetched(url: str) -> Iterator[Content]:
    """The file on this machine for as long as the block runs: itself where it lies here, else a copy; OSError as the store raises it."""
    target = place(url)
    if target.local is not None:
        yield Content(target.local, sha256_of(target.local))
        return
    with TemporaryDirectory(prefix="lightvoice-") as folder:
        copy, digest = Path(folder) / PurePosixPath(target.path).name, hashlib.sha256()
        with target.filesystem.open_input_stream(target.path) as stream, copy.open("wb") as kept:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                kept.write(chunk)
        yield Content(copy, digest.hexdigest())


class Folder:
    """Where results are written; a file is there whole or not at all."""

    def __init__(self, url: str) -> None:
        self._root = place(url)
        self.url = url

    def write(self, name: str, content: bytes) -> None:
        """Write a file of the folder: SourceError where that is refused."""
        try:
            with self.output_stream(name) as stream:
                stream.write(content)
        except OSError as error:
            raise SourceError(source=f"{self.url}/{name}", reason=reason_of(error)) from error

    def read(self, name: str) -> bytes:
        """A file of the folder; SourceError where it cannot be read."""
        return read_bytes(f"{self.url.rstrip('/')}/{name}")

    def names(self, below: str) -> list[str]:
        """The names of all files below a subfolder, relative to it; none where it is not there yet."""
        from pyarrow import fs

        root = f"{self._root.path}/{below}"
        try:
            entries = self._root.filesystem.get_file_info(fs.FileSelector(root, recursive=True, allow_not_found=True))
        except OSError as error:
            raise SourceError(source=f"{self.url}/{below}", reason=reason_of(error)) from error
        return [PurePosixPath(entry.path).relative_to(root).as_posix() for entry in entries if entry.type is fs.FileType.File]

    @contextmanager
    def output_stream(self, name: str) -> Iterator[Any]:
        """A file of the folder to write piece by piece; it takes its name when the block ends well."""
        if self._root.local is None:  # an object store shows an object once it is complete
            with self._root.filesystem.open_output_stream(f"{self._root.path}/{name}") as stream:
                yield stream
            return
        path = self._root.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with partial.open("wb") as stream:
                yield stream
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
