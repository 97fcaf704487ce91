"""A stranger, a guesser and a neighbour at the doors of a real server: what they try is refused, and nothing is fetched for them.

    python -m tests.trust doors

The server has a password and a key. A listener of our own stands for the machines inside a network that a server must not be
made to ask: whatever reaches it is a failure.
"""

from __future__ import annotations

import argparse
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.servers import ROOT, serving
from tests.starter_facts import DIGITS
from ui.http.access.attempt_limit import AT_ONCE
from ui.http.access.credentials import AUTH_VARIABLE, KEYS_VARIABLE

PERSON = ("bo", "a password of some length")
KEY = "a-key-of-some-length-0123456789"
BEARER = {"authorization": f"Bearer {KEY}"}
SECRET = "the neighbour's secret"
ANSWER_S = 120.0
FILE_MARK = {"_type": "gradio.FileData"}
STRANGERS_ASK = [
    "/",
    "/config",
    "/docs",
    "/openapi.json",
    "/metrics",
    "/v1/models",
    "/gradio_api/info",
    "/gradio_api/heartbeat/x",
    "/gradio_api/startup-events",
    "/theme.css",
    "/gradio_api/queue/data?session_hash=x",
    "/recordings/00000000000000000000000000000000",
    "/static/img/logo.svg",
    "/assets/x.js",
]
NOT_THERE = [
    "/gradio_api/proxy=https://huggingface.co/x",
    "/gradio_api/deep_link?session_hash=x",
    "/gradio_api/vibe-code",
    "/gradio_api/runs",
    "/gradio_api/dev/reload",
    "/gradio_api/stream/a/b/c/playlist.m3u8",
    "/monitoring",
    "/login",
    "/logout",
    "/file=/etc/passwd",
    "/.git/config",
    "/app.py",
    "/gradio_api/custom_component/1/client/component/index.js",
    "/gradio_api/process_recording",
    "/gradio_api/component_server",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing can be chosen."""
    del parser


class Probes:
    """What was tried, and what came through."""

    def __init__(self) -> None:
        self.tried: dict[str, int] = {}
        self.came_through: list[str] = []

    def expect(self, kind: str, said: str, *, refused: bool) -> None:
        """Note one attempt."""
        self.tried[kind] = self.tried.get(kind, 0) + 1
        if not refused:
            self.came_through.append(f"{kind}: {said}")


@contextmanager
def _inside() -> Iterator[tuple[str, list[str]]]:
    """A machine that nobody outside should reach: its address, and what was asked of it."""
    asked: list[str] = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(SECRET.encode())

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/secret", asked
    finally:
        server.shutdown()
        server.server_close()


def _strangers(address: str, probes: Probes) -> None:
    """Who has no credentials, or wrong ones, gets nothing; after too many guesses the right one waits too."""
    with httpx.Client(base_url=address, timeout=ANSWER_S) as client:
        for path in STRANGERS_ASK:
            probes.expect("stranger", path, refused=client.get(path).status_code == 401)
        upload = client.post("/gradio_api/upload", files={"files": ("x.wav", b"x")})
        probes.expect("stranger", "upload", refused=upload.status_code == 401)
        transcription = client.post("/v1/audio/transcriptions", files={"file": DIGITS.read_bytes()})
        probes.expect("stranger", "transcription", refused=transcription.status_code == 401)
    # Guesses come from an address of their own, so that those who come after them need not wait.
    with httpx.Client(base_url=address, transport=httpx.HTTPTransport(local_address="127.0.0.9"), timeout=ANSWER_S) as client:
        for number in range(AT_ONCE):
            probes.expect("guess", f"{number}", refused=client.get("/", auth=(PERSON[0], f"guess {number}")).status_code == 401)
        probes.expect("guess", "the right one, after too many", refused=client.get("/", auth=PERSON).status_code == 429)


def _neighbours(client: httpx.Client, probes: Probes, files: Path) -> None:
    """Who is let in reads no file of the machine, and nothing of another person's."""
    secret = files / "secret.txt"
    secret.write_text(SECRET, encoding="utf-8")
    (own,) = files.glob("lightvoice-*")
    theirs = own / "requests" / ("1" * 32) / "theirs.wav"
    theirs.parent.mkdir(parents=True)
    theirs.write_text(SECRET, encoding="utf-8")
    (own / "link.txt").symlink_to(secret)
    paths = [secret, own / "link.txt", theirs, own / ".." / "secret.txt", "/etc/passwd", "/proc/self/environ", ROOT / "app.py", "app.py"]
    paths += [f"{own}/./x/../../secret.txt", f"{own}%2f..%2fsecret.txt", f"//{secret}", "C:\\secret.txt", "\\\\host\\share", "", "\0"]
    for path in paths:
        name = repr(str(path))
        served = client.get(f"/gradio_api/file={path}") if "\0" not in str(path) else None
        probes.expect("file", name, refused=served is None or (served.status_code in (400, 403, 404) and SECRET not in served.text))
        for call in ("call/transcribe", "run/transcribe", "api/compare"):
            sent = client.post(f"/gradio_api/{call}", json={"data": [{"path": str(path), "meta": FILE_MARK}, "auto", True, "current"]})
            done = sent.status_code < 400 and "event_id" in sent.text
            said = client.get(f"/gradio_api/{call}/{sent.json()['event_id']}").text if done else sent.text
            probes.expect("path in a body", f"{call} {name}", refused=SECRET not in said and "segments" not in said)
    for path in NOT_THERE:
        for method in ("GET", "POST"):
            probes.expect("route", f"{method} {path}", refused=client.request(method, path).status_code in (404, 405))
    for queue in ("..", "%2e%2e", "1" * 31, "g" * 32, "1" * 32):
        answer = client.get(f"/recordings/{queue}/x/audio")
        probes.expect("another's queue", queue, refused=answer.status_code == 404)


def _urls(client: httpx.Client, probes: Probes, inside: str) -> None:
    """No URL is fetched for anybody, by whatever name this machine is called."""
    port = inside.rsplit(":", 1)[1]
    hosts = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "127.1", "169.254.169.254")
    for url in [f"{scheme}://{host}:{port}" for host in hosts for scheme in ("http", "https")] + [
        "file:///etc/passwd",
        "ftp://localhost/x",
    ]:
        probes.expect("url", f"file={url}", refused=client.get(f"/gradio_api/file={url}").status_code in (403, 404))
        probes.expect("url", f"proxy={url}", refused=client.get(f"/gradio_api/proxy={url}").status_code == 404)
        for field in ("path", "url"):
            file = {"path": url if field == "path" else "x.wav", "url": url, "meta": FILE_MARK}
            sent = client.post("/gradio_api/call/transcribe", json={"data": [file, "auto", True, "current"]})
            probes.expect("url", f"{field} {url}", refused=sent.status_code == 403)


def _other_sites(client: httpx.Client, probes: Probes) -> None:
    """A page of another site that makes this browser, credentials and all, send something."""
    for origin in ("https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"):
        for method, path in (("GET", "/config"), ("POST", "/gradio_api/call/set_lightweight"), ("POST", "/v1/audio/transcriptions")):
            answer = client.request(method, path, headers={"origin": origin}, json={"data": [True]} if method == "POST" else None)
            shared = [name for name in answer.headers if name.startswith("access-control")]
            probes.expect("other site", f"{origin} {path}", refused=answer.status_code == 403 and not shared)
        asked = {"origin": origin, "access-control-request-method": "POST"}
        preflight = client.options("/v1/audio/transcriptions", headers=asked)
        probes.expect("other site", f"{origin} preflight", refused="access-control-allow-origin" not in preflight.headers)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """How much was tried; AssertionError for what came through, or where who may come in did not."""
    del arguments
    probes = Probes()
    environment = {AUTH_VARIABLE: ":".join(PERSON), KEYS_VARIABLE: KEY}
    with _inside() as (inside, asked), serving("--threads", "1", environment=environment) as server:
        _strangers(server.address, probes)
        with httpx.Client(base_url=server.address, auth=PERSON, timeout=ANSWER_S) as client:
            _neighbours(client, probes, server.files)
            _urls(client, probes, inside)
            _other_sites(client, probes)
            if client.get("/").status_code != 200:
                raise AssertionError("who knows the password does not come in")
        with httpx.Client(base_url=server.address, headers=BEARER, timeout=ANSWER_S) as client:
            answer = client.post("/v1/audio/transcriptions", files={"file": DIGITS.read_bytes()})
            if answer.status_code != 200 or not answer.json()["text"]:
                raise AssertionError(f"who has a key is not answered: {answer.status_code} {answer.text}")
    report = {"tried": probes.tried, "came_through": len(probes.came_through), "asked_of_the_inside": len(asked)}
    if probes.came_through or asked:
        raise AssertionError(f"{report} {probes.came_through[:10]} {asked}")
    return report
