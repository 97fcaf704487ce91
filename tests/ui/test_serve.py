"""The server around the page: what it answers, what it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import uvicorn

from engine.errors import AudioNotFoundError, OptionError, PortUnavailableError
from tests.ui.conftest import RunningPage
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.waiting import until
from ui.api.endpoints import uploaded_file
from ui.limits import Limits
from ui.models.state import ModelState
from ui.page import build_page
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.serve import serve
from ui.status.server_state import ServerState

ROOT = Path(__file__).resolve().parents[2]
SERVE_FAKE = (
    "from tests.ui.fake_engine import FakeEngine\nfrom ui.serve import serve\n"
    "serve(FakeEngine(), port=0, on_ready=lambda address: print(address, flush=True))\nprint('ended', flush=True)"
)


def test_the_health_check_says_what_runs(page: RunningPage) -> None:
    assert httpx.get(f"{page.address}/healthz").json() == {"status": "ok", "bundle": "fake", "precision": "fp32"}


def test_the_browser_may_ask_no_other_machine(page: RunningPage) -> None:
    for path in ("/", "/config", "/healthz"):
        headers = httpx.get(page.address + path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "http" not in policy.replace("https:", "http:").replace("'self'", "")
        assert headers["referrer-policy"] == "no-referrer"


def test_gradio_collects_no_statistics_and_keeps_no_history(page: RunningPage) -> None:
    config = httpx.get(f"{page.address}/config").json()
    assert config["analytics_enabled"] is False
    assert config["footer_links"] == []


def test_an_open_page_holds_no_connection_of_the_six_that_a_browser_has(page: RunningPage) -> None:
    assert httpx.get(f"{page.address}/config").json()["connect_heartbeat"] is False


def test_the_servers_own_files_cannot_be_fetched(page: RunningPage) -> None:
    for path in ("/etc/hostname", str(ROOT / "app.py"), str(ROOT / "models" / "starter"), str(page.files / ".." / "x")):
        answer = httpx.get(f"{page.address}/gradio_api/file={path}")
        assert answer.status_code in (403, 404), path


def test_the_example_clips_can_be_fetched(page: RunningPage) -> None:
    assert httpx.get(f"{page.address}/gradio_api/file={ROOT / 'ui' / 'examples' / 'digits-en.flac'}").status_code == 200


@pytest.mark.parametrize("named", ["marked as an upload", "bare"])
def test_a_file_that_nobody_uploaded_cannot_be_transcribed(page: RunningPage, two_words: Path, named: str) -> None:
    audio: dict[str, object] = {"path": str(two_words)}  # it exists, and it is audio, but it is not theirs
    if named != "bare":
        audio["meta"] = {"_type": "gradio.FileData"}
    answer = httpx.post(f"{page.address}/gradio_api/call/transcribe", json={"data": [audio, "auto", True, "current"]})
    assert answer.status_code == 403
    assert page.engine.calls == []
    with pytest.raises(AudioNotFoundError):  # behind the guard the endpoint looks again
        uploaded_file(audio)


def drop_file(page: RunningPage, file: dict[str, object], queue_id: str) -> bool:
    """Whether the page's queue takes a file when a program sends what the browser would, but with a path of its choice."""
    config = httpx.get(f"{page.address}/config").json()
    (listener,) = [each for each in config["dependencies"] if each["api_name"] == "add_files"]
    assert listener["api_visibility"] == "private"
    values = {component["id"]: component["props"].get("value") for component in config["components"]}
    chosen = [values[place] for place in listener["inputs"][1:-1]]
    sent = {"data": [[file], *chosen, queue_id], "fn_index": listener["id"], "session_hash": "stranger"}
    joined = httpx.post(f"{page.address}/gradio_api/queue/join", json=sent, timeout=60)
    if joined.status_code == 403:
        return False
    joined.raise_for_status()
    with httpx.stream("GET", f"{page.address}/gradio_api/queue/data?session_hash=stranger", timeout=60) as answer:
        assert any("process_completed" in line for line in answer.iter_lines())
    return bool(httpx.get(f"{page.address}/recordings/{queue_id}").json()["rows"])


def test_the_pages_own_queue_takes_uploads_only(page: RunningPage, two_words: Path) -> None:
    mark = {"_type": "gradio.FileData"}
    queue_id = "5" * 32
    for stranger in ({"path": str(two_words), "meta": mark}, {"path": str(two_words)}, {"path": "/etc/hostname", "meta": mark}):
        assert not drop_file(page, stranger, queue_id)
    with two_words.open("rb") as file:
        uploaded = httpx.post(f"{page.address}/gradio_api/upload", files={"files": ("two.wav", file)}).json()[0]
    assert not drop_file(page, {"path": uploaded, "meta": mark}, "z" * 32)
    assert drop_file(page, {"path": uploaded, "meta": mark}, queue_id)


def test_listeners_of_the_page_are_not_an_api(page: RunningPage) -> None:
    config = httpx.get(f"{page.address}/config").json()
    public = {dependency["api_name"] for dependency in config["dependencies"] if dependency["api_visibility"] != "private"}
    assert public == {"transcribe", "compare", "tracks", "set_lightweight", "resources"}


def test_nothing_is_asked_of_another_machine(run_page: Callable[..., object], monkeypatch: pytest.MonkeyPatch, two_words: Path) -> None:
    import gradio_client

    outside: list[object] = []
    connect = socket.socket.connect

    def watched(self: socket.socket, address: object) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            outside.append(address)
            raise OSError("no network in this test")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", watched)
    with run_page() as page:
        httpx.get(page.address)
        client = gradio_client.Client(page.address, verbose=False)
        client.predict(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")
        client.close()
    assert outside == []


def test_a_port_in_use_is_a_plain_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortUnavailableError, match=f"cannot listen on 127.0.0.1:{port} .*--port"):
            serve(FakeEngine(), port=port)


def test_a_host_that_is_not_ours_is_a_plain_error() -> None:
    with pytest.raises(PortUnavailableError, match=r"no-such-host\.invalid"):
        serve(FakeEngine(), host="no-such-host.invalid", port=0)


@pytest.mark.parametrize("files", [("no.pem", "no.key"), ("bad.pem", "bad.key"), (None, "bad.key")])
def test_a_certificate_that_cannot_be_used_is_a_plain_error(tmp_path: Path, files: tuple[str | None, str]) -> None:
    for name in ("bad.pem", "bad.key"):
        (tmp_path / name).write_text("not a certificate")
    certificate, key = (None if name is None else tmp_path / name for name in files)
    with pytest.raises(OptionError, match=r"cannot serve HTTPS with .* PEM"):
        serve(FakeEngine(), port=0, ssl_certfile=certificate, ssl_keyfile=key)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
def test_https_is_served_with_a_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run([*make, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    code = SERVE_FAKE.replace("port=0", f"port=0, ssl_certfile={str(certificate)!r}, ssl_keyfile={str(key)!r}")
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("https://")
        assert httpx.get(f"{address}/healthz", verify=False).json()["status"] == "ok"
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_files(number: signal.Signals, tmp_path: Path) -> None:
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", SERVE_FAKE], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        (folder,) = tmp_path.glob("lightvoice-*")
        assert folder.stat().st_mode & 0o077 == 0
        upload = httpx.post(f"{address}/gradio_api/upload", files={"files": ("x.wav", b"abc")})
        assert Path(upload.json()[0]).is_relative_to(folder)
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
        assert (said.strip(), process.returncode) == ("ended", 0)
        assert list(tmp_path.glob("lightvoice-*")) == []
    finally:
        process.kill()
        process.communicate()


def test_an_idle_connection_is_kept_for_longer_than_any_client_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that closes it first breaks the request that is on its way: httpx and openai keep one for 5 s, nginx for 60 s."""
    served: list[uvicorn.Config] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: served.append(self.config))
    serve(FakeEngine(), port=0)
    assert served[0].timeout_keep_alive > 60


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(PortUnavailableError):
        serve(FakeEngine(), port=taken.getsockname()[1])
    assert "GRADIO_TEMP_DIR" not in os.environ


def test_a_page_needs_none_of_the_heavy_packages() -> None:
    heavy = ("torch", "funasr", "librosa", "matplotlib", "scipy", "numba", "onnx", "modelscope", "models")
    code = f"import sys, ui.serve, ui.page\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_long_run_does_not_keep_others_waiting(page: RunningPage, two_words: Path) -> None:
    """While a run holds the engine, the switch, the resources and the health check answer."""
    import gradio_client

    page.engine.hold.clear()
    client = gradio_client.Client(page.address, verbose=False)
    job = client.submit(audio=gradio_client.handle_file(str(two_words)), api_name="/transcribe")
    until(lambda: page.engine.calls)
    assert client.predict(True, api_name="/set_lightweight")["precision"] == "int8"
    assert client.predict(api_name="/resources")["rss_mb"] == 210.0
    assert httpx.get(f"{page.address}/healthz").json()["precision"] == "int8"
    page.engine.hold.set()
    assert job.result(timeout=20)["segments"]
    client.close()


def test_an_idle_server_leaves_the_processor_alone(tmp_path: Path) -> None:
    """At Gradio's own pace, a thousand looks a second at an empty queue, a server that nobody uses takes 4 % of a core."""
    engine, decoder = FakeEngine(), InProcessDecoder()
    slots = RunSlots(1)

    async def build() -> float:
        page = build_page(
            engine=engine,
            decoder=decoder,
            state=ServerState(engine),
            limits=Limits(),
            models=ModelState(engine, None),
            recordings=QueueRunner(engine, decoder, slots=slots, folder=tmp_path, limits=Limits()),
            slots=slots,
            folders=ServerFolders(tmp_path),
            add_endpoints=lambda: None,
        )
        return float(page._queue.sleep_when_free)

    assert 0.02 <= asyncio.run(build()) <= 0.1
