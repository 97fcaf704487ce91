"""The real model from one button in Chromium, over a hub on loopback: pressed, cut, cancelled, gone on, checked, opened, transcribed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import run_server
from tests.browser.steps import new_context, show, transcribed
from tests.models.fetch.hub_double import HubDouble, serve_hub
from tests.waiting import until

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("torch", reason="the published model is made with torch")
pytest.importorskip("funasr", reason="the published model is FunASR's own network")

#: A job starts a process and converts a graph; the machine may be busy.
JOB_MS = 240_000
GRAPH = "model.int8.onnx"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    """A tiny model as sherpa-onnx publishes SenseVoice-Small, and FSMN-VAD as FunASR does."""
    from benchmarks.published_files import publish_as_sherpa
    from models.fetch.catalog import CATALOG, Source
    from models.networks.random_checkpoint import write_random_checkpoint
    from tests.models.export.ready_made_folders import vad_folder

    folder = tmp_path_factory.mktemp("published")
    write_random_checkpoint(folder / "checkpoint", size="tiny")
    origin = CATALOG["sensevoice-small-int8"].origins[Source.HUGGINGFACE]
    parts = {
        origin.asr.repo: publish_as_sherpa(folder / "checkpoint", folder / "sherpa"),
        origin.vad.repo: vad_folder(folder / "checkpoint", folder / "vad"),
    }
    return {repo: {path.name: path.read_bytes() for path in part.iterdir() if path.is_file()} for repo, part in parts.items()}


@pytest.fixture
def hub(published: dict[str, dict[str, bytes]]) -> Iterator[HubDouble]:
    """A hub with that model; nothing else answers."""
    with serve_hub({repo: dict(files) for repo, files in published.items()}) as double:
        yield double
        double.going_on.set()


def graph_of(hub: HubDouble) -> tuple[str, int]:
    """repo/path of the published graph, and its size."""
    return next((f"{repo}/{GRAPH}", len(files[GRAPH])) for repo, files in hub.files.items() if GRAPH in files)


def first_bytes(hub: HubDouble) -> list[int]:
    """Where each request for the graph began."""
    return [first for method, path, first in hub.asked if method == "GET" and path == graph_of(hub)[0]]


@pytest.fixture
def serve(browser: Any, hub: HubDouble, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """``with serve(…) as open_page``: a server whose caches and bundles are the test's own; ``open_page()`` is a fresh page on it."""

    @contextmanager
    def serve(*arguments: str, **variables: str) -> Iterator[Callable[..., Any]]:
        home = {name: str(tmp_path / "home") for name in ("HF_HOME", "MODELSCOPE_CACHE", "XDG_CACHE_HOME")}
        hubs = {"HF_ENDPOINT": hub.url, "MODELSCOPE_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"}
        contexts: list[Any] = []
        with run_server(tmp_path / "gradio", *arguments, **{**home, **hubs, **variables}) as address:

            def open_page(locale: str = "en-US") -> Any:
                contexts.append(new_context(browser, locale=locale))
                page = contexts[-1].new_page()
                page.goto(address)
                page.locator("#lv-transcript .lv-empty").wait_for()
                return page

            yield open_page
            for context in contexts:
                context.close()

    return serve


def shows(page: Any, state: str, words: str | re.Pattern[str], timeout_ms: int = JOB_MS) -> None:
    expect(page.locator(f"#lv-real .lv-job[data-state={state}]")).to_contain_text(words, timeout=timeout_ms)


def test_from_one_press_to_a_transcript_over_a_line_that_breaks_and_a_cancel(
    serve: Callable[..., Any], hub: HubDouble, spoken_digits: Path, tmp_path: Path
) -> None:
    path, size = graph_of(hub)
    hub.stall_after[path] = int(0.3 * size)
    with serve() as open_page:
        page, other = open_page(), open_page(locale="zh-CN")
        button = page.locator("#lv-real-get")
        expect(button).to_have_text("Get the real model (242 MB)")
        expect(page.locator("#lv-real")).to_contain_text("FunASR Model Open Source License Agreement")
        button.dblclick()  # the second press begins nothing
        shows(page, "running", GRAPH)
        expect(page.locator("#lv-real progress[value]")).to_be_visible()
        expect(page.locator("#lv-real")).to_contain_text("MB/s")
        expect(other.locator("#lv-real")).to_contain_text("正在获取正式模型")
        expect(other.locator("#lv-real-get")).to_be_hidden()
        assert first_bytes(hub) == [0]
        page.locator("#lv-real-cancel").click()
        shows(page, "cancelled", "goes on from there")
        hub.going_on.set()
        hub.cut_after[path] = int(0.3 * size)  # and the line breaks once more
        button.click()
        shows(page, "done", "The real model is open")
        starts = first_bytes(hub)
        assert starts[0] == 0 and len(starts) == 3 and 0 < starts[1] < starts[2], starts
        for one in (page, other):
            expect(one.locator("#lv-banner")).to_contain_text("sensevoice-small")
        shows(page, "done", "gave no example recordings")
        expect(button).to_be_hidden()
        transcribed(page, spoken_digits)
        expect(page.locator("#lv-transcript .lv-summary")).to_contain_text("INT8 · sensevoice-small")
        show(page, "Compare")
        expect(page.locator("#lv-compare-missing")).to_contain_text("without FP32")
        expect(page.locator("#lv-compare-get-missing")).to_have_text("Get FP32 (940 MB)")
    assert [folder.name for folder in (tmp_path / "gradio" / "bundles").iterdir()] == ["sensevoice-small"]


def test_a_file_that_is_not_the_published_one_is_refused_and_the_next_try_brings_it(
    serve: Callable[..., Any], hub: HubDouble, tmp_path: Path
) -> None:
    path, _ = graph_of(hub)
    hub.wrong_sha256[path] = "ab" * 32
    with serve() as open_page:
        page = open_page()
        page.locator("#lv-real-get").click()
        shows(page, "failed", "not the file that was published")
        text = page.locator("#lv-real").inner_text()
        assert "HF_ENDPOINT" in text and "zip" in text and "Error" not in text and "--" not in text
        expect(page.locator("#lv-real a").first).to_have_attribute("href", re.compile("^https://"))
        expect(page.locator("#lv-banner")).to_contain_text("starter")
        assert not list((tmp_path / "home").rglob(GRAPH))
        hub.wrong_sha256.clear()
        page.locator("#lv-real-get").click()
        shows(page, "done", "The real model is open")


def test_a_full_disk_is_said_before_anything_is_downloaded(serve: Callable[..., Any], hub: HubDouble, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "sitecustomize.py").write_text(
        "import collections, shutil\n"
        "usage = collections.namedtuple('usage', 'total used free')\n"
        "shutil.disk_usage = lambda _: usage(10, 9, 60_000_000)\n",
        encoding="utf-8",
    )
    with serve(PYTHONPATH=str(tmp_path / "full")) as open_page:
        page = open_page()
        page.locator("#lv-real-get").click()
        shows(page, "failed", "disk is too full; about 485 MB are needed")
        expect(page.locator("#lv-real")).to_contain_text("Free some room")
    assert hub.asked == []


def test_who_may_not_manage_models_sees_one_sentence(serve: Callable[..., Any], hub: HubDouble) -> None:
    with serve("--no-manage-models") as open_page:
        page = open_page()
        expect(page.locator("#lv-real")).to_contain_text("Whoever runs this server")
        for name in ("get", "cancel", "source"):
            expect(page.locator(f"#lv-real-{name}")).to_be_hidden()
    assert until(lambda: hub.requests == [])
