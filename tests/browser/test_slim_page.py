"""The slim page in real Chromium: ./run.sh --slim."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from engine.formats import FORMATS
from tests.browser.conftest import run_server
from tests.browser.steps import new_context

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def slim_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_server(tmp_path_factory.mktemp("slim"), "--slim") as address:
        yield address


@pytest.fixture
def open_slim(browser: Any, slim_server: str) -> Iterator[Callable[..., Any]]:
    """``open_slim(locale=…, width=…)``: a fresh slim page; no page may throw or ask another machine."""
    contexts, wrong = [], []

    def make(*, locale: str = "en-US", width: int = 1000, color_scheme: str = "light") -> Any:
        context = new_context(browser, locale=locale, viewport={"width": width, "height": 900}, color_scheme=color_scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith((slim_server, "blob:")) else wrong.append(request.url))
        page.goto(slim_server)
        expect(page.locator("#slim-state")).to_contain_text("INT8")
        return page

    yield make
    for context in contexts:
        context.close()
    assert wrong == []


def transcribe(page: Any, file: Path) -> Any:
    page.locator("#slim-file").set_input_files(file)
    page.locator("#slim-run").click()
    return page.locator("#slim-result")


def test_a_wav_is_transcribed_and_downloaded(open_slim: Callable[..., Any], microphone_wav: Path) -> None:
    page = open_slim()
    result = transcribe(page, microphone_wav)
    expect(result.locator(".lv-segment")).to_have_count(2)
    expect(result.locator(".lv-summary")).to_contain_text("INT8")
    expect(result.locator(".lv-emotion").first).to_be_visible()
    words = result.locator(".lv-text").all_inner_texts()
    contents = {}
    for name in FORMATS:
        with page.expect_download() as download:
            page.locator(f"#slim-downloads [data-format={name}]").click()
        assert download.value.suggested_filename == f"digits.{name}"
        contents[name] = Path(download.value.path()).read_text(encoding="utf-8")
        assert all(word in contents[name] for word in words)
    assert [segment["text"] for segment in json.loads(contents["json"])["segments"]] == words
    with page.expect_download() as download:
        page.locator("#slim-downloads [data-format=docx]").click()
    assert download.value.suggested_filename == "digits.docx"
    assert Path(download.value.path()).read_bytes().startswith(b"PK")


def test_an_mp3_is_refused_with_the_remedy_and_the_page_goes_on(
    open_slim: Callable[..., Any], tmp_path: Path, microphone_wav: Path
) -> None:
    song = tmp_path / "song.mp3"
    soundfile.write(song, load_audio(microphone_wav).samples, 16_000, format="MP3", subtype="MPEG_LAYER_III")
    page = open_slim()
    alert = transcribe(page, song).get_by_role("alert")
    expect(alert).to_contain_text("song.mp3 is no WAV file")
    expect(alert).to_contain_text("without --slim")
    expect(transcribe(page, microphone_wav).locator(".lv-segment")).to_have_count(2)
    expect(alert).to_have_count(0)


def test_each_channel_s_speaker_is_named(open_slim: Callable[..., Any], microphone_wav: Path, tmp_path: Path) -> None:
    samples = load_audio(microphone_wav).samples
    soundfile.write(tmp_path / "call.wav", np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    page = open_slim(locale="zh-CN")
    page.get_by_label("声道").select_option(label="每个声道一位说话人")
    speakers = transcribe(page, tmp_path / "call.wav").locator(".lv-speaker")
    expect(speakers.first).to_be_visible()
    assert set(speakers.all_inner_texts()) == {"说话人 1", "说话人 2"}


def test_there_is_no_microphone_no_live_tab_and_no_comparison(open_slim: Callable[..., Any]) -> None:
    page = open_slim()
    expect(page.get_by_role("tab")).to_have_count(0)
    expect(page.locator("audio, video, canvas")).to_have_count(0)
    expect(page.locator("#slim-memory")).to_contain_text("Not loaded in this process: gradio")


def test_pressing_the_button_without_a_file_says_so(open_slim: Callable[..., Any]) -> None:
    page = open_slim(locale="zh-CN")
    page.locator("#slim-run").click()
    expect(page.get_by_role("alert")).to_contain_text("请先选择文件或录音")


def test_the_switch_changes_the_precision(open_slim: Callable[..., Any], microphone_wav: Path) -> None:
    page = open_slim()
    light = page.locator("#slim-light")
    expect(light).to_be_checked()
    light.click()
    expect(page.locator("#slim-state")).to_contain_text("FP32")
    expect(transcribe(page, microphone_wav).locator(".lv-summary")).to_contain_text("FP32")
    light.click()
    expect(page.locator("#slim-state")).to_contain_text("INT8")


@pytest.mark.slow
def test_what_it_saves_is_measured_here(open_slim: Callable[..., Any]) -> None:
    page = open_slim()
    page.locator("#slim-measure").click()
    saving = page.locator("#slim-saving")
    expect(saving.locator(".lv-bar-row")).to_have_count(2, timeout=180_000)
    slim, full = (float(re.search(r"([\d.]+) MB", row).group(1)) for row in saving.locator(".lv-bar-row").all_inner_texts())
    assert 20 < slim < full


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_never_scrolls_sideways(open_slim: Callable[..., Any], microphone_wav: Path, width: int, scheme: str) -> None:
    page = open_slim(width=width, locale="zh-CN", color_scheme=scheme)
    expect(transcribe(page, microphone_wav).locator(".lv-segment")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate("document.documentElement.classList.contains('dark')") is (scheme == "dark")


def test_the_keyboard_alone_is_enough(open_slim: Callable[..., Any], microphone_wav: Path) -> None:
    page = open_slim()
    page.locator("#slim-file").set_input_files(microphone_wav)
    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert {"slim-light", "slim-file", "slim-language", "slim-channel", "slim-itn", "slim-run", "slim-measure"} <= set(reached)
    page.locator("#slim-run").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#slim-result .lv-segment")).to_have_count(2)
