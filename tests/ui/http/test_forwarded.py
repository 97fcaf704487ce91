"""What a proxy says of the address, who is believed, and what an untrusted sender can do with it; with a real nginx as well."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from engine.errors import OptionError
from tests.proxies import below_prefix, nginx, passed_as_it_is
from tests.ui.conftest import RunningPage
from tests.ui.fake_engine import FakeEngine
from ui.http.gradio_guard import OPEN_ROOTS
from ui.http.reach import OWN_ROOTS, Reach, is_prefix
from ui.serve import build_app

PREFIX = "/asr"
SAID = {"x-forwarded-prefix": PREFIX, "x-forwarded-host": "voice.example", "x-forwarded-proto": "https"}


def root_of(page: httpx.Response) -> str:
    """Where Gradio's page looks for its server."""
    found = re.search(r'"root":("[^"]*")', page.text)
    assert found is not None
    return str(json.loads(found[1]))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., httpx.Response]]:
    """``asked(path, headers, sender=…, root_path=…)``: one answer of a page whose peer has this address."""
    files = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as started:
        patch.setenv("GRADIO_TEMP_DIR", str(files))

        @functools.cache
        def app_of(root_path: str | None, believed: str | None) -> FastAPI:
            app = build_app(FakeEngine(), files=files, reach=Reach.parsed(root_path=root_path))
            started.enter_context(TestClient(app))
            return app

        def ask(path: str, headers: dict[str, str], *, sender: str = "127.0.0.1", root_path: str | None = None) -> httpx.Response:
            app = app_of(root_path, os.environ.get("FORWARDED_ALLOW_IPS"))
            client = TestClient(app, base_url="http://127.0.0.1:7860", client=(sender, 5))
            return client.get(path, headers=headers, follow_redirects=False)

        yield ask


@pytest.mark.parametrize("sender", ["127.0.0.1", "::1"])
def test_a_proxy_on_this_machine_says_where_the_page_is(asked: Callable[..., httpx.Response], sender: str) -> None:
    assert root_of(asked("/", SAID, sender=sender)) == f"https://voice.example{PREFIX}"
    config = asked("/config", {**SAID, "x-forwarded-prefix": "/tools, /asr/"}, sender=sender).json()
    assert config["root"] == "https://voice.example/tools/asr"


def test_nobody_else_is_believed_unless_the_operator_says_so(
    asked: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"x-forwarded-prefix": PREFIX}
    assert root_of(asked("/", headers, sender="192.0.2.7")) == "http://127.0.0.1:7860"
    assert "X-Forwarded-Prefix '/asr' of 192.0.2.7 is not followed; give --root-path" in caplog.text
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.0/24")
    assert root_of(asked("/", headers, sender="192.0.2.7")) == f"http://127.0.0.1:7860{PREFIX}"


@pytest.mark.parametrize(
    "prefix",
    ["asr", "//evil.example", "/../x", "/asr/..", "/a b", '/"><script>', "/asr?x", "/asr#x", "https://evil.example", "/%2e%2e",
     "/" + "x" * 300, "/v1", "/live/asr"],
)  # fmt: skip
def test_a_prefix_that_is_none_is_not_believed(asked: Callable[..., httpx.Response], prefix: str) -> None:
    assert root_of(asked("/", {"x-forwarded-prefix": prefix})) == "http://127.0.0.1:7860"
    assert not is_prefix(prefix)


@pytest.mark.parametrize("path", ["/healthz", f"{PREFIX}/healthz"])
def test_the_proxy_may_take_the_prefix_away_or_leave_it(asked: Callable[..., httpx.Response], path: str) -> None:
    assert asked(path, {}, root_path=f"{PREFIX}/").json()["status"] == "ok"
    assert asked(path, {"x-forwarded-prefix": PREFIX}).json()["status"] == "ok"


def test_the_option_goes_before_the_header(asked: Callable[..., httpx.Response]) -> None:
    assert root_of(asked("/", SAID, root_path="/voice")) == "https://voice.example/voice"


def test_a_page_without_its_last_slash_is_sent_to_the_one_with_it(asked: Callable[..., httpx.Response]) -> None:
    answer = asked(f"{PREFIX}?x=1", {}, root_path=PREFIX)
    assert (answer.status_code, answer.headers["location"]) == (307, f"{PREFIX}/?x=1")


def test_a_path_of_our_own_is_no_prefix(asked: Callable[..., httpx.Response]) -> None:
    assert OPEN_ROOTS <= OWN_ROOTS
    for root in ("/v1", "/live/asr/"):
        with pytest.raises(OptionError, match=r"begins with a path that this server answers itself"):
            Reach.parsed(root_path=root)
    assert asked("/v1/models", {"x-forwarded-prefix": "/v1"}).status_code == 200
    for wrong in ("asr", "/a b", "https://voice.example/asr", "/../x"):
        with pytest.raises(OptionError, match=r"is not a path; write .* such as /asr"):
            Reach.parsed(root_path=wrong)
    assert [Reach.parsed(root_path=none).root_path for none in (None, "", "/")] == ["", "", ""]


def test_who_came_by_a_proxy_does_not_manage_models() -> None:
    from types import SimpleNamespace

    from ui.http.access.managing import Managers, may_manage

    own = {"host": "127.0.0.1:7860"}
    assert may_manage(Managers.THIS_MACHINE, SimpleNamespace(headers=own))  # type: ignore[arg-type]
    for name, value in SAID.items():
        assert not may_manage(Managers.THIS_MACHINE, SimpleNamespace(headers={**own, name: value}))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/v1//models", "/v1/models/", "/v1/models//"])
def test_an_address_of_the_api_with_a_slash_too_many_is_understood(asked: Callable[..., httpx.Response], path: str) -> None:
    assert asked(path, {}).json()["object"] == "list"


def test_nginx_below_a_path_passes_events_on_as_they_come(run_page: Callable[..., object], two_words: Path, tmp_path: Path) -> None:
    """The engine is held in the middle of its run until the client has read what came before."""
    with run_page() as page, nginx(tmp_path / "nginx", below_prefix(page.address, PREFIX)) as proxy:
        page.engine.between.clear()
        with httpx.stream(
            "POST", f"{proxy}{PREFIX}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, data={"stream": "true"}, timeout=60
        ) as answer:
            lines = (line for line in answer.iter_lines() if line)
            assert "three one four" in next(lines)
            page.engine.between.set()
            assert "transcript.text.done" in list(lines)[-1]
        assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("location", [below_prefix, passed_as_it_is])
def test_the_slim_page_works_below_a_path_too(run_page: Callable[..., object], tmp_path: Path, location: Callable[[str, str], str]) -> None:
    reach = Reach(root_path=PREFIX if location is passed_as_it_is else "")
    with run_page(slim=True, reach=reach) as page, nginx(tmp_path / "nginx", location(page.address, PREFIX)) as proxy:
        assert "<form" in httpx.get(f"{proxy}{PREFIX}/").text
        assert httpx.get(f"{proxy}{PREFIX}/state").json()["on"] is False


def test_a_served_page_says_its_own_address(page: RunningPage) -> None:
    assert root_of(httpx.get(page.address)) == page.address
