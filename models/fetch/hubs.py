"""ModelScope and Hugging Face, through their own libraries (modelscope_hub and huggingface_hub): what a repository holds, and a file of
it, resumed where it stopped.

ModelScope's library keeps a partial download beside the final name and goes on from there; Hugging Face's (2.4) deletes it when it stops,
so that its files go through :mod:`models.fetch.resumable`. ``HF_ENDPOINT``, ``MODELSCOPE_ENDPOINT`` and ``MODELSCOPE_DOMAIN`` name mirrors.
What the libraries raise becomes one HubError with a plain reason.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit

from engine.errors import LightVoiceError
from models.fetch.catalog import Source
from models.fetch.resumable import bring
from models.jobs.failure_kind import FailureKind

OFFLINE_VARIABLES = ("LIGHTVOICE_OFFLINE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_NO = ("", "0", "false", "no", "off")
_REFUSED = (401, 403)
_NOT_FOUND = 404
_PARTIAL_CONTENT = 206

OnBytes = Callable[[int], None]


class HubError(LightVoiceError):
    """A hub did not give what was asked of it."""

    def __init__(self, *, source: str, host: str, reason: str, kind: FailureKind = FailureKind.UNREACHABLE) -> None:
        self.source, self.host, self.reason, self.kind = source, host, reason, kind
        super().__init__(f"{host} ({source}): {reason}")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a repository, with the sha256 that the hub states (large files have one, small ones may not)."""

    path: str
    size_bytes: int
    sha256: str | None


class Hub(Protocol):
    """What `fetch` needs of a hub."""

    source: Source

    @property
    def host(self) -> str:
        """The host that is asked."""
        ...

    @property
    def package(self) -> str:
        """The module of its library."""
        ...

    def about(self, repo: str) -> str:
        """The address that answers with a few words of JSON about a repository."""
        ...

    def listing(self, repo: str) -> dict[str, RemoteFile]:
        """The files of a repository by path; HubError."""
        ...

    def download(self, repo: str, file: RemoteFile, folder: Path, on_bytes: OnBytes) -> None:
        """Bring one file to ``folder / file.path``, telling how many bytes came; HubError."""
        ...


def offline_variable() -> str | None:
    """The environment variable that forbids the network, if one is set."""
    return next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").strip().lower() not in _NO), None)


class HuggingFace:
    """The Hugging Face hub, or the mirror that ``HF_ENDPOINT`` names."""

    source = Source.HUGGINGFACE
    package = "huggingface_hub"

    def __init__(self) -> None:
        self._endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")

    @property
    def host(self) -> str:
        """The host that is asked."""
        return urlsplit(self._endpoint).netloc or self._endpoint

    def about(self, repo: str) -> str:
        """The address that answers with a few words of JSON about a repository."""
        return f"{self._endpoint}/api/models/{repo}"

    @contextmanager
    def _plainly(self, what: str) -> Iterator[None]:
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, HFValidationError

        # Its own errors are OSErrors; a refused connection comes bare, from the HTTP library below, whose base its errors share.
        bare = [base for base in HfHubHTTPError.__bases__ if issubclass(base, Exception) and base is not OSError]
        # ValueError: a login page is no JSON.
        failures: tuple[type[Exception], ...] = (OSError, EntryNotFoundError, HFValidationError, ValueError, *bare)
        try:
            yield
        except failures as error:
            if getattr(error, "errno", None) is not None and not isinstance(error, ConnectionError):
                raise  # the disk, not the hub
            raise HubError(source=self.source, host=self.host, reason=reason_of(error, what), kind=_kind(error)) from error

    def listing(self, repo: str) -> dict[str, RemoteFile]:
        """The files of a repository by path; HubError."""
        from huggingface_hub import HfApi

        with _quiet("httpx2", "httpx", "huggingface_hub"), self._plainly(repo):
            info = HfApi(endpoint=self._endpoint).model_info(repo, files_metadata=True)
        files = {}
        for sibling in info.siblings or []:
            sha256 = None if sibling.lfs is None else sibling.lfs.sha256
            files[sibling.rfilename] = RemoteFile(path=sibling.rfilename, size_bytes=sibling.size or 0, sha256=sha256)
        return files

    def download(self, repo: str, file: RemoteFile, folder: Path, on_bytes: OnBytes) -> None:
        """Bring one file to ``folder / file.path``; HubError."""
        import httpx2
        from huggingface_hub import constants, get_session, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status  # type: ignore[attr-defined]  # public, but not in an __all__

        url = hf_hub_url(repo, file.path, endpoint=self._endpoint)

        @contextmanager
        def open_at(offset: int) -> Iterator[tuple[int, Iterable[bytes]]]:
            headers = build_hf_headers() | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={offset}-"} if offset else {})
            with get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
                hf_raise_for_status(response)
                yield (offset if response.status_code == _PARTIAL_CONTENT else 0), response.iter_bytes()

        with _quiet("httpx2", "httpx", "huggingface_hub"), self._plainly(f"{repo}/{file.path}"):
            bring(
                open_at,
                folder / file.path,
                size_bytes=file.size_bytes,
                version=(file.sha256 or "unsigned")[:8],
                on_bytes=on_bytes,
                lost=(httpx2.TransportError,),
            )


def modelscope_endpoint() -> str:
    """The address of ModelScope, or of its mirror."""
    named = os.environ.get("MODELSCOPE_ENDPOINT") or os.environ.get("MODELSCOPE_DOMAIN") or "https://www.modelscope.cn"
    return (named if "://" in named else f"https://{named}").rstrip("/")


def modelscope_files(entries: Iterable[Mapping[str, Any]]) -> dict[str, RemoteFile]:
    """The files among the entries that ModelScope lists of a repository, by path."""
    return {
        entry["Path"]: RemoteFile(path=entry["Path"], size_bytes=int(entry["Size"]), sha256=entry.get("Sha256") or None)
        for entry in entries
        if entry.get("Type", "blob") == "blob"
    }


class ModelScope:
    """The ModelScope hub, or the mirror that ``MODELSCOPE_ENDPOINT`` names."""

    source = Source.MODELSCOPE
    package = "modelscope"

    def __init__(self) -> None:
        self._endpoint = modelscope_endpoint()

    @property
    def host(self) -> str:
        """The host that is asked."""
        return urlsplit(self._endpoint).netloc or self._endpoint

    def about(self, repo: str) -> str:
        """The address that answers with a few words of JSON about a repository."""
        return f"{self._endpoint}/api/v1/models/{repo}/repo/files"

    @contextmanager
    def _plainly(self, what: str) -> Iterator[None]:
        from modelscope_hub.errors import HubError as ModelScopeError

        try:
            yield
        except (OSError, ModelScopeError, ValueError) as error:
            if getattr(error, "errno", None) is not None and not isinstance(error, ConnectionError):
                raise  # the disk, not the hub
            raise HubError(source=self.source, host=self.host, reason=reason_of(error, what), kind=_kind(error)) from error

    def listing(self, repo: str) -> dict[str, RemoteFile]:
        """The files of a repository by path; HubError."""
        with _quiet("modelscope", "modelscope_hub"), self._plainly(repo):
            from modelscope_hub.compat import LegacyHubApi

            entries = LegacyHubApi(endpoint=self._endpoint).get_model_files(repo, recursive=True)
        return modelscope_files(entries)

    def download(self, repo: str, file: RemoteFile, folder: Path, on_bytes: OnBytes) -> None:
        """Bring one file to ``folder / file.path``; HubError."""
        with _quiet("modelscope", "modelscope_hub"), self._plainly(f"{repo}/{file.path}"):
            from modelscope_hub import ProgressCallback
            from modelscope_hub.compat import snapshot_download

            stream = sys.stderr

            class Counter(ProgressCallback):
                def update(self, size: int) -> None:
                    with redirect_stderr(stream):
                        on_bytes(size)

            with redirect_stderr(io.StringIO()):  # the library's own bars, for which it has no switch
                snapshot_download(
                    repo, local_dir=str(folder), allow_patterns=[file.path], progress_callbacks=[Counter], endpoint=self._endpoint
                )


@contextmanager
def _quiet(*names: str) -> Iterator[None]:
    """Keep a library's own loggers to warnings while it works."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def reason_of(error: BaseException, what: str) -> str:
    """A library's error in a line: gone, refused, broken, or not to be reached."""
    if _is_other_content(error):
        return f"the sha256 of {what} is not the one it states; the file was deleted, fetch again or use the other --source"
    status = _status(error)
    if status in _REFUSED:
        return f"it refuses {what} (HTTP {status}); log in with the hub's own tool, or use the other --source"
    if status == _NOT_FOUND:
        return f"it has no {what} (HTTP 404)"
    if status is not None:
        return f"it answers HTTP {status} for {what}; try again later"
    first = " ".join(str(error).split())[:160]
    return f"{what} cannot be had: {type(error).__name__}: {first}"


def _kind(error: BaseException) -> FailureKind:
    return FailureKind.OTHER_FILE if _is_other_content(error) else FailureKind.UNREACHABLE


def _is_other_content(error: BaseException) -> bool:
    """Whether ModelScope's library gave up because a file kept arriving with another size or sha256."""
    failed = getattr(error, "failed_files", {})
    return any(type(cause).__name__ in ("FileIntegrityError", "FileSizeMismatchError") for cause in (error, *failed.values()))


def _status(error: BaseException | None) -> int | None:
    """The HTTP status behind an error, its causes included."""
    while error is not None:
        for holder in (getattr(error, "response", None), error):
            status = holder.code if isinstance(holder, HTTPError) else getattr(holder, "status_code", None)
            if isinstance(status, int):
                return status
        error = error.__cause__ or error.__context__
    return None
