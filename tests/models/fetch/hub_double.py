"""A hub on loopback that speaks enough of Hugging Face's and ModelScope's HTTP interfaces for their own libraries to download from it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
#: No stalled connection outlives its test by more.
STALL_S = 120
SENT_AT_ONCE = 1 << 20
LARGE_BYTES = 1000  # above it a file is said to be in large file storage, with its sha256


@dataclass
class HubDouble:
    """What the hub holds, how it misbehaves, and what it was asked."""

    files: dict[str, dict[str, bytes]]
    url: str = ""
    #: repo/path -> a sha256 that is stated instead of the right one
    wrong_sha256: dict[str, str] = field(default_factory=dict)
    #: repo/path -> after so many bytes the connection is cut, once
    cut_after: dict[str, int] = field(default_factory=dict)
    #: repo/path -> after so many bytes nothing more comes, once, until ``going_on`` is set; then the connection is cut
    stall_after: dict[str, int] = field(default_factory=dict)
    going_on: threading.Event = field(default_factory=threading.Event)
    #: HTTP status for everything
    status: int | None = None
    #: a page that answers everything, as a network that wants a login first does
    page: bytes | None = None
    #: (method, path, first byte asked for) of every request for a file
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    #: no file is sent faster; the seconds that sending took
    mb_per_s: float | None = None
    sending_s: float = 0.0

    def sha256(self, repo: str, name: str) -> str:
        return self.wrong_sha256.get(f"{repo}/{name}") or hashlib.sha256(self.files[repo][name]).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: HubDouble
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        self.hub.requests.append(path)
        if self.hub.page is not None:
            self._answer(200, self.hub.page)
        elif self.hub.status is not None:
            self._answer(self.hub.status, b'{"error": "no"}')
        elif match := re.fullmatch(r"/api/models/([^/]+/[^/]+?)(?:/revision/[^/]+)?", path):
            self._huggingface_info(match.group(1))
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(match.group(1), match.group(2))
        elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo/files", path):
            self._modelscope_files(match.group(1))
        elif match := re.fullmatch(r"/api/v1/models/([^/]+/[^/]+)/repo", path):
            self._file(match.group(1), parse_qs(address.query)["FilePath"][0])
        elif match := re.fullmatch(r"/models/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
            self._file(match.group(1), match.group(2))
        else:
            self._answer(404, b'{"error": "unknown path"}')

    def _huggingface_info(self, repo: str) -> None:
        if repo not in self.hub.files:
            self._answer(404, b'{"error": "Repository not found"}')
            return
        siblings = []
        for name, content in self.hub.files[repo].items():
            sibling: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": hashlib.sha1(content).hexdigest()}
            if len(content) > LARGE_BYTES:
                sibling["lfs"] = {"sha256": self.hub.sha256(repo, name), "size": len(content), "pointerSize": 134}
            siblings.append(sibling)
        self._json({"id": repo, "modelId": repo, "sha": COMMIT, "private": False, "tags": [], "downloads": 0, "siblings": siblings})

    def _modelscope_files(self, repo: str) -> None:
        if repo not in self.hub.files:
            self._answer(404, b'{"Code": 404, "Message": "not found"}')
            return
        entries = [
            {"Path": name, "Name": name.rsplit("/", maxsplit=1)[-1], "Type": "blob", "Size": len(content),
             "Sha256": self.hub.sha256(repo, name), "Revision": COMMIT, "Mode": "100644", "CommittedDate": 0}
            for name, content in self.hub.files[repo].items()
        ]  # fmt: skip
        self._json({"Code": 200, "Success": True, "Message": "success", "Data": {"Files": entries}})

    def _file(self, repo: str, name: str) -> None:
        content = self.hub.files.get(repo, {}).get(name)
        if content is None:
            self._answer(404, b"{}")
            return
        first = int(match.group(1)) if (match := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        last = int(match.group(1)) if (match := re.match(r"bytes=\d+-(\d+)", self.headers.get("Range", ""))) else len(content) - 1
        body = content[first : last + 1]
        self.hub.asked.append((self.command, f"{repo}/{name}", first))
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "HEAD":
            return
        stall = self.hub.stall_after.pop(f"{repo}/{name}", None)
        cut = self.hub.cut_after.pop(f"{repo}/{name}", None) if stall is None else stall
        if cut is None:
            self._send(body)
            return
        self.wfile.write(body[:cut])
        self.wfile.flush()
        if stall is not None:
            self.hub.going_on.wait(STALL_S)
        self.close_connection = True

    def _send(self, body: bytes) -> None:
        began = time.perf_counter()
        for first in range(0, len(body), SENT_AT_ONCE):
            self.wfile.write(body[first : first + SENT_AT_ONCE])
            if self.hub.mb_per_s is not None:
                due = began + (first + SENT_AT_ONCE) / 1e6 / self.hub.mb_per_s
                self.hub.going_on.wait(max(0.0, due - time.perf_counter()))
        self.hub.sending_s += time.perf_counter() - began

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serve_hub(files: dict[str, dict[str, bytes]]) -> Iterator[HubDouble]:
    """Serve repositories (repo -> path -> content) on a free port of loopback."""
    hub = HubDouble(files)
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
