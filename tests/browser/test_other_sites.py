"""Pages of other origins in real Chromium: the API for those that the server was told of, nothing for the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import run_server
from tests.browser.steps import new_context

KEY = "a-key-of-sixteen-or-more"
#: Sends a recording that the page made itself, as a browser app does; what comes back, or why nothing does.
ASK = """async ([address, key, stream]) => {
  const form = new FormData();
  const sound = new Uint8Array(44 + 32000);
  const head = new DataView(sound.buffer);
  [..."RIFF"].forEach((c, i) => head.setUint8(i, c.charCodeAt(0)));
  head.setUint32(4, 36 + 32000, true);
  [..."WAVEfmt "].forEach((c, i) => head.setUint8(8 + i, c.charCodeAt(0)));
  head.setUint32(16, 16, true); head.setUint16(20, 1, true); head.setUint16(22, 1, true);
  head.setUint32(24, 16000, true); head.setUint32(28, 32000, true); head.setUint16(32, 2, true); head.setUint16(34, 16, true);
  [..."data"].forEach((c, i) => head.setUint8(36 + i, c.charCodeAt(0)));
  head.setUint32(40, 32000, true);
  form.append("file", new Blob([sound], { type: "audio/wav" }));
  form.append("model", "whisper-1");
  form.append("stream", stream);
  try {
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    const answer = await fetch(`${address}/v1/audio/transcriptions`, { method: "POST", body: form, headers });
    return [answer.status, await answer.text(), answer.headers.get("x-lightvoice-model")];
  } catch (error) { return [0, String(error), null]; }
}"""


class _Nothing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>an app</title>")

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture(scope="module")
def sites() -> Iterator[list[str]]:
    """Two other origins on this machine."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _Nothing) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def address(sites: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that lets the first of them use its API, with a key."""
    folder = tmp_path_factory.mktemp("shared")
    keys = folder / "keys"
    keys.write_text(KEY, encoding="utf-8")
    keys.chmod(0o600)
    with run_server(folder / "files", "--allow-origin", sites[0], "--api-keys", str(keys)) as address:
        yield address


def asked_from(browser: Any, site: str, address: str, key: str | None = KEY, *, stream: bool = False) -> tuple[int, str, str | None]:
    page = new_context(browser).new_page()
    page.goto(site)
    status, text, model = page.evaluate(ASK, [address, key, str(stream).lower()])
    page.context.close()
    return status, text, model


def test_an_app_that_is_allowed_transcribes_with_its_key(browser: Any, sites: list[str], address: str) -> None:
    status, text, model = asked_from(browser, sites[0], address)
    assert (status, model) == (200, "starter:fp32"), text
    assert text.startswith('{"text"')
    status, text, _ = asked_from(browser, sites[0], address, stream=True)
    assert (status, "transcript.text.done" in text) == (200, True)


def test_an_app_without_a_key_reads_what_it_lacks(browser: Any, sites: list[str], address: str) -> None:
    status, text, _ = asked_from(browser, sites[0], address, None)
    assert (status, "asks for an API key" in text) == (401, True)


def test_another_app_gets_nothing(browser: Any, sites: list[str], address: str) -> None:
    assert asked_from(browser, sites[1], address)[0] == 0


def test_the_servers_own_page_is_no_other_site(browser: Any, address: str, tmp_path: Path) -> None:
    status, _, model = asked_from(browser, f"{address}/docs", address)
    assert (status, model) == (200, "starter:fp32")
