"""The middleware around the page: authentication, what other sites can do, which of Gradio's routes and files are reachable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.ui.conftest import RunningPage, serve_module
from tests.ui.fake_engine import FakeEngine
from ui.http.access.attempt_limit import AT_ONCE
from ui.http.access.credentials import Credentials
from ui.serve import build_app
from ui.text.texts import Texts

KEY = "k" * 24
BEARER = {"authorization": f"Bearer {KEY}"}
PAGES = ("/", "/config", "/gradio_api/info", "/v1/models", "/docs", "/metrics", f"/recordings/{'1' * 32}", "/gradio_api/heartbeat/x")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page with a password and a key, shared by the tests that only ask it."""
    yield from serve_module(tmp_path_factory, credentials=Credentials(persons=["bo:secret"], keys=[KEY]))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page that asks nobody who they are."""
    yield from serve_module(tmp_path_factory)


# ---- the lock --------------------------------------------------------------------------------------------------------


def test_without_credentials_only_the_health_checks_answer(locked: RunningPage) -> None:
    for path in PAGES:
        answer = httpx.get(f"{locked.address}{path}")
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert len(answer.content) < 300
    assert httpx.post(f"{locked.address}/gradio_api/upload", files={"files": ("x.wav", b"abc")}).status_code == 401
    assert httpx.get(f"{locked.address}/healthz").status_code == 200
    assert httpx.get(f"{locked.address}/readyz").status_code in (200, 503)


@pytest.mark.parametrize("way", ["password", "key"])
def test_who_is_known_comes_in(locked: RunningPage, two_words: Path, way: str) -> None:
    known = {"auth": ("bo", "secret")} if way == "password" else {"headers": BEARER}
    with httpx.Client(base_url=locked.address, **known) as client:
        for path in ("/", "/v1/models", "/metrics"):
            assert client.get(path).status_code == 200
        assert client.post("/v1/audio/transcriptions", files={"file": two_words.read_bytes()}).status_code == 200


def test_the_clients_of_other_programs_come_in_with_a_key(locked: RunningPage, two_words: Path) -> None:
    import gradio_client
    import openai

    with openai.OpenAI(base_url=f"{locked.address}/v1", api_key=KEY, max_retries=0) as client, two_words.open("rb") as file:
        assert client.audio.transcriptions.create(file=file, model="fake").text
    with (
        openai.OpenAI(base_url=f"{locked.address}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.models.list()
    page = gradio_client.Client(locked.address, verbose=False, headers=BEARER)
    assert page.predict(gradio_client.handle_file(str(two_words)), api_name="/transcribe")["segments"]
    page.close()


def test_a_refusal_is_in_the_language_of_the_browser(locked: RunningPage) -> None:
    for language in ("en", "zh"):
        answer = httpx.get(locked.address, headers={"accept-language": language})
        assert answer.text == Texts(language)("access.unknown")


def test_after_too_many_guesses_even_the_right_one_waits(run_page: Callable[..., object]) -> None:
    with run_page(credentials=Credentials(persons=["bo:secret"])) as page:
        for _ in range(AT_ONCE):
            assert httpx.get(page.address, auth=("bo", "guess")).status_code == 401
        answer = httpx.get(page.address, auth=("bo", "secret"))
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 6
        assert httpx.get(page.address).status_code == 401  # a browser that has not been asked yet is no guess
        assert httpx.get(f"{page.address}/healthz").status_code == 200


def test_keys_alone_lock_the_api_alone(run_page: Callable[..., object]) -> None:
    with run_page(credentials=Credentials(keys=[KEY])) as page:
        assert httpx.get(page.address).status_code == 200
        refused = httpx.get(f"{page.address}/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        assert httpx.get(f"{page.address}/v1/models", headers=BEARER).status_code == 200


def test_the_slim_page_asks_for_the_same_credentials(tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    app = build_app(FakeEngine(), files=tmp_path, slim=True, credentials=Credentials(persons=["bo:secret"]))
    with TestClient(app) as client:
        assert client.get("/").status_code == 401
        assert client.get("/", auth=("bo", "secret")).status_code == 200
        assert client.get("/healthz").json() == {"status": "ok", "bundle": "fake", "precision": "fp32"}


# ---- other sites -----------------------------------------------------------------------------------------------------

EVIL = {"origin": "https://evil.example"}


@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        {"origin": "null"},
        {"origin": "http://localhost:3000"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    ],
)
def test_other_sites_pages_are_refused(opened: RunningPage, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/config"), ("POST", "/gradio_api/call/set_lightweight"), ("OPTIONS", "/v1/models")):
        answer = httpx.request(method, f"{opened.address}{path}", headers=headers, json={"data": [True]} if method == "POST" else None)
        assert answer.status_code == 403, (method, path)
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert not opened.engine.lightweight


def test_our_own_page_links_and_programs_are_answered(opened: RunningPage) -> None:
    own = {"origin": opened.address, "sec-fetch-site": "same-origin"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    proxied = {"origin": "https://voice.example", "x-forwarded-host": "voice.example"}
    for headers in ({}, own, {"origin": opened.address}, link, proxied):
        answer = httpx.get(f"{opened.address}/", headers=headers)
        assert answer.status_code == 200, headers
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_other_site_frames_the_page(opened: RunningPage) -> None:
    headers = httpx.get(opened.address).headers
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in headers


# ---- what of Gradio is open ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=https://huggingface.co/",
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/vibe-code",
        "/gradio_api/dev/reload",
        "/gradio_api/runs",
        "/gradio_api/stream/a/1/2/playlist.m3u8",
        "/gradio_api/custom_component/1/client/component/index.js",
        "/monitoring",
        "/login",
        "/file=/etc/hostname",
        "/.git/config",
    ],
)
def test_what_the_page_does_not_use_is_not_there(opened: RunningPage, path: str) -> None:
    assert httpx.get(f"{opened.address}{path}").status_code == 404
    assert httpx.post(f"{opened.address}{path}", json={}).status_code == 404


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/secret", "https://example.com/a.wav", "file:///etc/hostname", "ftp://x/y"])
def test_no_url_is_fetched_for_anybody(opened: RunningPage, url: str) -> None:
    url = url.format(port=opened.address.rsplit(":", 1)[1])
    assert httpx.get(f"{opened.address}/gradio_api/file={url}").status_code == 403
    for call in ("call/transcribe", "run/transcribe", "api/transcribe", "call/v2/transcribe"):
        sent = {"data": [{"path": url, "meta": {"_type": "gradio.FileData"}}], "audio": {"path": url}}
        assert httpx.post(f"{opened.address}/gradio_api/{call}", json=sent).status_code == 403, call
    joined = {"data": [[{"path": url}], "x"], "fn_index": 1, "session_hash": "s"}
    assert httpx.post(f"{opened.address}/gradio_api/queue/join", json=joined).status_code == 403


def test_no_file_but_uploads_and_examples_can_be_named(opened: RunningPage, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret", encoding="utf-8")
    link = opened.files / "link.txt"
    link.symlink_to(secret)
    theirs = opened.files / "requests" / "x" / "theirs.wav"
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_bytes(b"theirs")
    asked = [secret, link, theirs, opened.files / ".." / "x", Path("/etc/passwd"), Path("/proc/self/environ"), Path("app.py").resolve()]
    for path in [*asked, "app.py", "/"]:
        answer = httpx.get(f"{opened.address}/gradio_api/file={path}")
        assert answer.status_code == 403, path
        sent = {"data": [{"path": str(path), "meta": {"_type": "gradio.FileData"}}]}
        assert httpx.post(f"{opened.address}/gradio_api/call/transcribe", json=sent).status_code == 403, path
    upload = httpx.post(f"{opened.address}/gradio_api/upload", files={"files": ("mine.wav", b"mine")}).json()[0]
    assert httpx.get(f"{opened.address}/gradio_api/file={upload}").content == b"mine"


def test_an_upload_lies_where_nobody_can_guess(opened: RunningPage) -> None:
    """Its folder is a digest of the content and of a secret of this installation: the content alone does not tell it."""
    import hashlib

    upload = httpx.post(f"{opened.address}/gradio_api/upload", files={"files": ("mine.wav", b"known content")}).json()[0]
    folder = Path(upload).parent.name
    assert len(folder) == 64
    assert folder != hashlib.sha256(b"known content").hexdigest()


def test_inputs_that_are_none_are_refused(opened: RunningPage) -> None:
    call = f"{opened.address}/gradio_api/call/set_lightweight"
    assert httpx.post(call, content=b"not json", headers={"content-type": "application/json"}).status_code == 400
    assert httpx.post(call, content=b"[" * 100_000, headers={"content-type": "application/json"}).status_code == 400
    assert httpx.post(call, content=b'"' + b"x" * 4_000_001 + b'"').status_code == 413


def test_one_limit_holds_for_every_way_in(run_page: Callable[..., object]) -> None:
    from ui.limits import Limits

    with run_page(limits=Limits(upload_mb=1)) as page:
        for size, taken in ((1_000_000 - 2000, True), (1_000_001 + (1 << 20), False)):
            content = os.urandom(size)
            upload = httpx.post(f"{page.address}/gradio_api/upload", files={"files": ("x.wav", content)})
            assert (upload.status_code == 200) is taken
            asked = httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": content})
            assert (asked.status_code == 413) is not taken
