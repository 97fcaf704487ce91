"""Browser apps of other origins (CORS): nobody unless named, ``/v1`` alone, keys and no remembered passwords."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from engine.errors import OptionError
from tests.ui.conftest import RunningPage, serve_module
from ui.http.access.credentials import Credentials
from ui.http.reach import Reach
from ui.serve import build_app

APP = "https://app.example"
KEY = "a-key-of-sixteen-or-more"
BEARER = {"authorization": f"Bearer {KEY}"}
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
TRANSCRIPTIONS = "/v1/audio/transcriptions"


def sharing(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    """A page that asks for a password and for keys, and lets one other origin use its API."""
    credentials = Credentials(persons=["bo:secret"], keys=[KEY])
    reach = Reach.parsed(origins=[f"{APP}/", "http://localhost:3000"])
    yield from serve_module(tmp_path_factory, reach=reach, credentials=credentials)


def test_the_browser_of_an_allowed_app_is_told_that_it_may_ask(shared: RunningPage) -> None:
    """The question comes without credentials."""
    answer = httpx.options(f"{shared.address}{TRANSCRIPTIONS}", headers={"origin": APP, **ASKED, "sec-fetch-site": "cross-site"})
    assert answer.status_code == 204
    said = sharing(answer)
    assert said["access-control-allow-origin"] == APP
    assert "POST" in said["access-control-allow-methods"]
    assert said["access-control-allow-headers"] == "authorization,content-type"
    assert "access-control-allow-credentials" not in said
    assert int(said["access-control-max-age"]) > 0
    assert "origin" in answer.headers["vary"].lower()


def test_an_allowed_app_transcribes_with_its_key(shared: RunningPage, two_words: Path) -> None:
    headers = {"origin": APP, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors", **BEARER}
    answer = httpx.post(f"{shared.address}{TRANSCRIPTIONS}", headers=headers, files={"file": two_words.read_bytes()})
    assert answer.json()["text"]
    assert sharing(answer)["access-control-allow-origin"] == APP
    assert "x-lightvoice-model" in sharing(answer)["access-control-expose-headers"]
    streamed = httpx.post(
        f"{shared.address}{TRANSCRIPTIONS}", headers=headers, files={"file": two_words.read_bytes()}, data={"stream": "true"}
    )
    assert "transcript.text.done" in streamed.text
    assert sharing(streamed)["access-control-allow-origin"] == APP


def test_an_allowed_app_may_read_why_it_is_refused(shared: RunningPage) -> None:
    for headers, status in (({}, 401), ({"authorization": "Bearer wrong"}, 401), (BEARER, 415)):
        answer = httpx.post(f"{shared.address}{TRANSCRIPTIONS}", headers={"origin": APP, **headers})
        assert (answer.status_code, sharing(answer)["access-control-allow-origin"]) == (status, APP)


def test_a_password_that_the_browser_remembers_counts_for_nothing(shared: RunningPage) -> None:
    assert httpx.get(f"{shared.address}/v1/models", auth=("bo", "secret")).status_code == 200
    assert httpx.get(f"{shared.address}/v1/models", auth=("bo", "secret"), headers={"origin": APP}).status_code == 401


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/docs", "/metrics", f"/recordings/{'1' * 32}"])
def test_nothing_but_the_api_is_shared(shared: RunningPage, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = httpx.request(method, f"{shared.address}{path}", headers={"origin": APP, **BEARER, **ASKED})
        assert (answer.status_code, sharing(answer)) == (403, {})


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.example.evil.example", "http://app.example", "https://app.example:444", "null"]
)
def test_other_origins_are_refused_as_ever(shared: RunningPage, origin: str) -> None:
    for method, extra in (("GET", {}), ("OPTIONS", ASKED)):
        answer = httpx.request(method, f"{shared.address}/v1/models", headers={"origin": origin, **BEARER, **extra})
        assert (answer.status_code, sharing(answer)) == (403, {})


def test_programs_and_the_own_page_are_answered_as_ever_and_caches_are_told_of_the_difference(shared: RunningPage) -> None:
    for origin in ({}, {"origin": shared.address}):
        answer = httpx.get(f"{shared.address}/v1/models", headers={**BEARER, **origin})
        assert (answer.status_code, sharing(answer)) == (200, {})
        assert "origin" in answer.headers["vary"].lower().replace(" ", "").split(",")


def test_every_origin_may_be_allowed(run_page: Callable[..., object]) -> None:
    with run_page(reach=Reach.parsed(origins=["*"])) as page:
        for origin in (APP, "null"):
            answer = httpx.get(f"{page.address}/healthz", headers={"origin": origin})
            assert sharing(answer)["access-control-allow-origin"] == "*"
        asked = {"origin": APP, **ASKED, "access-control-request-private-network": "true"}
        assert sharing(httpx.options(f"{page.address}/v1/models", headers=asked))["access-control-allow-private-network"] == "true"
        assert httpx.get(f"{page.address}/config", headers={"origin": APP}).status_code == 403


def test_without_the_option_nothing_is_shared(page: RunningPage) -> None:
    for method, extra in (("GET", {}), ("OPTIONS", ASKED)):
        answer = httpx.request(method, f"{page.address}/v1/models", headers={"origin": APP, **extra})
        assert (answer.status_code, sharing(answer)) == (403, {})


@pytest.mark.parametrize(
    ("value", "origins"),
    [
        ("https://App.Example/", {"https://app.example"}),
        ("https://app.example:443, http://localhost:3000", {"https://app.example", "http://localhost:3000"}),
        ("http://[::1]:8080", {"http://[::1]:8080"}),
        ("*", {"*"}),
        ("", set()),
    ],
)
def test_origins_are_read_as_browsers_write_them(value: str, origins: set[str]) -> None:
    assert Reach.parsed(origins=[value]).origins == origins


@pytest.mark.parametrize(
    "value",
    ["app.example", "https://", "ftp://app.example", "https://app.example/path", "https://a:b@app.example", "null", "https://x:99999"],
)
def test_what_is_no_origin_is_an_error_with_the_remedy(value: str) -> None:
    with pytest.raises(OptionError, match=r"is not an origin; write https://app\.example"):
        Reach.parsed(origins=[value])


def test_the_slim_page_has_no_api_to_share(tmp_path: Path) -> None:
    from tests.ui.fake_engine import FakeEngine

    with pytest.raises(OptionError, match="leave --slim or --allow-origin out"):
        build_app(FakeEngine(), files=tmp_path, slim=True, reach=Reach.parsed(origins=["*"]))
