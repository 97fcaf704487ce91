"""ModelScope without its library, which a slim install lacks: the same two addresses, asked in plain HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote

from models.fetch.hubs import HubError, ModelScope, OnBytes, RemoteFile, modelscope_files, reason_of
from models.fetch.resumable import bring

TIMEOUT_S = 30.0
_BLOCK_BYTES = 1 << 18
_PARTIAL_CONTENT = 206


class PlainModelScope(ModelScope):
    """The ModelScope hub, or the mirror that ``MODELSCOPE_ENDPOINT`` names."""

    package = "urllib"

    @contextmanager
    def _plainly(self, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            if getattr(error, "errno", None) is not None and not isinstance(error, ConnectionError | HTTPError):
                raise  # the disk, not the hub
            raise HubError(source=self.source, host=self.host, reason=reason_of(error, what)) from error

    def listing(self, repo: str) -> dict[str, RemoteFile]:
        """The files of a repository by path; HubError."""
        with self._plainly(repo), _opened(f"{self.about(repo)}?Revision=master&Recursive=true") as answer:
            return modelscope_files(json.load(answer)["Data"]["Files"])

    def download(self, repo: str, file: RemoteFile, folder: Path, on_bytes: OnBytes) -> None:
        """Bring one file to ``folder / file.path``; HubError."""
        address = f"{self._endpoint}/models/{repo}/resolve/master/{quote(file.path)}"

        @contextmanager
        def open_at(offset: int) -> Iterator[tuple[int, Iterable[bytes]]]:
            with _opened(address, offset=offset) as answer:
                start = offset if answer.status == _PARTIAL_CONTENT else 0
                yield start, iter(lambda: answer.read1(_BLOCK_BYTES), b"")

        with self._plainly(f"{repo}/{file.path}"):
            bring(
                open_at,
                folder / file.path,
                size_bytes=file.size_bytes,
                version=(file.sha256 or "unsigned")[:8],
                on_bytes=on_bytes,
                lost=(ConnectionError, TimeoutError, http.client.HTTPException),
            )


@contextmanager
def _opened(address: str, *, offset: int = 0) -> Iterator[http.client.HTTPResponse]:
    """An answer from a byte on; a host that cannot be reached is a ConnectionError, an HTTP status an HTTPError."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "lightvoice"} | ({"Range": f"bytes={offset}-"} if offset else {})
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - the endpoint is http(s), ours or the one that the environment names
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above
    except HTTPError:
        raise
    except URLError as error:
        raise ConnectionError(str(error.reason)) from error
    with answer:
        yield answer
