"""The whole page behind a real nginx, below a path: uploading, transcribing, playing, comparing, speaking, and the API's events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.browser.conftest import run_server
from tests.browser.steps import new_context, show, words_come
from tests.proxies import below_prefix, nginx, passed_as_it_is

expect = pytest.importorskip("playwright.sync_api").expect

PREFIX = "/asr"


FORWARDED, CONFIGURED = "the prefix is forwarded", "the server knows its prefix"
LOCATIONS = {FORWARDED: below_prefix, CONFIGURED: passed_as_it_is}


@pytest.fixture(scope="module", params=LOCATIONS)
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a person finds the page, without the last slash."""
    folder = tmp_path_factory.mktemp("proxied")
    options = ("--root-path", PREFIX) if request.param == CONFIGURED else ()
    with run_server(folder / "files", *options) as server, nginx(folder / "nginx", LOCATIONS[request.param](server, PREFIX)) as proxy:
        yield f"{proxy}{PREFIX}"


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    """A page that came by the proxy; at the end nothing was thrown, nothing failed, and nothing was asked outside of the prefix."""
    context = new_context(browser, permissions=["microphone"], locale="en-US")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((f"{address}/", "data:", "blob:")) else wrong.append(asked.url))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.goto(f"{address}/")
    page.locator("#lv-light-status .lv-light-status").wait_for()
    yield page
    context.close()
    assert wrong == []


def test_a_recording_is_uploaded_transcribed_played_and_downloaded(page: Any, spoken_digits: Path) -> None:
    page.locator("#lv-transcribe-audio input[type=file]").set_input_files(str(spoken_digits))
    expect(page.locator(".lv-row")).to_have_count(1)
    page.locator("#lv-transcribe-run").click()
    expect(page.locator('.lv-row[data-state="done"]')).to_have_count(1)
    words_come(page)
    assert page.evaluate("() => new Promise((done) => { const sound = document.getElementById('lv-player'); "
                         "const ready = () => done(sound.duration); "
                         "sound.readyState ? ready() : sound.addEventListener('loadedmetadata', ready); })") > 5  # fmt: skip
    with page.expect_download() as download:
        page.locator("#lv-download-srt").click()
    assert "-->" in Path(download.value.path()).read_text(encoding="utf-8")


def test_the_switch_of_gradios_own_is_switched(page: Any) -> None:
    page.locator("#lv-light-switch input").click()
    page.locator("#lv-light-status [data-on=true]").wait_for()
    page.locator("#lv-light-switch input").click()
    page.locator("#lv-light-status [data-on=false]").wait_for()


def test_a_recording_is_compared_by_gradios_queue(page: Any, spoken_digits: Path) -> None:
    show(page, 2)
    page.locator("#lv-compare-audio input[type=file]").set_input_files(str(spoken_digits))
    page.locator("#lv-compare-audio .audio-container :is(.waveform-container, audio:not(.hidden))").first.wait_for()
    page.locator("#lv-compare-run").click()
    expect(page.locator("#lv-comparison")).to_contain_text("INT8")


def test_text_follows_speech(page: Any) -> None:
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-segments .lv-segment")).not_to_have_count(0)
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible()


def test_who_leaves_the_last_slash_out_is_brought_to_the_page(browser: Any, address: str) -> None:
    page = new_context(browser).new_page()
    page.goto(f"{address}?x=1")
    page.locator("#lv-light-status .lv-light-status").wait_for()
    assert page.url == f"{address}/?x=1"
    page.context.close()


def test_the_api_answers_below_the_prefix_and_its_events_are_not_held_back(address: str, spoken_digits: Path) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client, spoken_digits.open("rb") as file:
        events = list(client.audio.transcriptions.create(file=file, model="whisper-1", stream=True))
    assert [event.type for event in events][-2:] == ["transcript.text.delta", "transcript.text.done"]


def test_the_documentation_names_the_address_that_a_program_uses(address: str) -> None:
    assert f"curl {address}/v1/audio/transcriptions" in httpx.get(f"{address}/docs").text
    assert httpx.get(f"{address}/openapi.json").json()["servers"] == [{"url": PREFIX}]


def test_gradios_client_finds_the_endpoints_below_the_prefix(address: str, spoken_digits: Path) -> None:
    gradio_client = pytest.importorskip("gradio_client")
    client = gradio_client.Client(f"{address}/", verbose=False)
    assert client.predict(gradio_client.handle_file(str(spoken_digits)), language="en-US", api_name="/transcribe")["segments"]
    client.close()
