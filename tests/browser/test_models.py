"""The Models tab in Chromium over a real server: switch, quantize, fetch from a hub on loopback, cancel, who may."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bundle import Bundle
from tests.browser.conftest import run_server
from tests.browser.steps import new_context, show, unfold
from tests.models.fetch.hub_double import HubDouble, serve_hub
from tests.starter_facts import STARTER
from tests.waiting import until

expect = pytest.importorskip("playwright.sync_api").expect
pytest.importorskip("torch", reason="the workshop's jobs need torch")

#: A job starts a process that loads torch; the machine may be busy.
JOB_MS = 240_000


@pytest.fixture(scope="module")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny bundle in SenseVoice's shape, FP32 alone."""
    from models.export.assemble import assemble
    from models.networks.random_checkpoint import write_random_checkpoint

    folder = tmp_path_factory.mktemp("random")
    write_random_checkpoint(folder / "checkpoint", size="tiny")
    return assemble(folder / "checkpoint", folder / "bundle", name="tiny-random")


@pytest.fixture(scope="module")
def hub(random_bundle: Path) -> Iterator[HubDouble]:
    """A hub with the tiny checkpoint as sherpa-onnx and FunASR publish it in ONNX."""
    from models.fetch.catalog import SHERPA_ONNX
    from tests.models.export.ready_made_folders import sherpa_folder, vad_folder

    folder = random_bundle.parent
    parts = {
        SHERPA_ONNX: sherpa_folder(folder / "checkpoint", folder / "sherpa"),
        "funasr/fsmn-vad-onnx": vad_folder(folder / "checkpoint", folder / "vad"),
    }
    with serve_hub(
        {repo: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} for repo, folder in parts.items()}
    ) as double:
        yield double


@pytest.fixture(scope="module")
def installed(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of installed bundles: a copy of the starter, the tiny one, one with a damaged file, one that is broken."""
    folder = tmp_path_factory.mktemp("bundles")
    shutil.copytree(random_bundle, folder / "tiny-random")
    shutil.copytree(STARTER, folder / "own")
    shutil.copytree(random_bundle, folder / "damaged")
    for name in ("own", "damaged"):
        manifest = folder / name / "bundle.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text(encoding="utf-8")), "name": name}), encoding="utf-8")
    tokens = folder / "damaged" / "tokens.txt"
    tokens.write_bytes(tokens.read_bytes()[::-1])
    (folder / "torn").mkdir()
    (folder / "torn" / "bundle.json").write_text("{", encoding="utf-8")
    return folder


def variables(installed: Path, hub: HubDouble, home: Path) -> dict[str, str]:
    places = {name: str(home) for name in ("HF_HOME", "MODELSCOPE_CACHE", "XDG_CACHE_HOME")}
    return {
        "LIGHTVOICE_BUNDLES": str(installed),
        "HF_ENDPOINT": hub.url,
        "MODELSCOPE_ENDPOINT": "http://127.0.0.1:9",
        "NO_PROXY": "*",
        **places,
    }


@pytest.fixture(scope="module")
def server(installed: Path, hub: HubDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``app.py`` with these bundles and this hub."""
    with run_server(tmp_path_factory.mktemp("gradio"), **variables(installed, hub, tmp_path_factory.mktemp("home"))) as address:
        yield address


def models_tab(page: Any, name: str = "Models") -> Any:
    show(page, name)
    page.locator("#lv-models .lv-model").first.wait_for()
    return page


def pick(page: Any, dropdown: str, words: str) -> None:
    page.locator(f"#{dropdown} input").click()
    page.get_by_role("option", name=re.compile(words)).click()


def switch_to(page: Any, name: str) -> None:
    pick(page, "lv-switch-bundle", rf"\({name}\)")
    page.locator("#lv-switch-run").click()


def job(page: Any, state: str, timeout_ms: int = JOB_MS) -> Any:
    found = page.locator(f".lv-job-slot .lv-job[data-state={state}]")
    expect(found).to_be_visible(timeout=timeout_ms)
    return found


def test_the_bundles_are_listed_the_open_one_first_and_the_broken_with_its_reason(open_page: Callable[..., Any]) -> None:
    page = models_tab(open_page())
    cards = page.locator("#lv-models .lv-model")
    expect(cards).to_have_count(5)
    expect(cards.first).to_contain_text("open now")
    expect(cards.first).to_contain_text("INT8")
    broken = page.locator("#lv-models .lv-broken")
    expect(broken).to_have_count(1)
    expect(broken).to_contain_text("not readable JSON")
    expect(page.locator('#lv-models [data-bundle="tiny-random"]')).to_contain_text("Its text means nothing")


def test_a_switch_shows_on_every_open_page_and_a_reload(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    first, second = models_tab(open_page()), open_page(locale="zh-CN")
    expect(second.locator("#lv-banner")).to_contain_text("starter")
    switch_to(first, "tiny-random")
    for page in (first, second):
        expect(page.locator("#lv-banner")).to_contain_text("tiny-random")
    expect(first.locator('#lv-models [data-bundle="tiny-random"]')).to_contain_text("open now")
    models_tab(second, "模型")
    expect(second.locator('#lv-models [data-bundle="tiny-random"]')).to_contain_text("使用中")
    second.reload()
    expect(second.locator("#lv-banner")).to_contain_text("tiny-random")
    switch_to(first, "starter")
    for page in (first, second):
        expect(page.locator("#lv-banner")).to_contain_text("starter")


def test_a_bundle_that_cannot_be_opened_leaves_the_open_one(open_page: Callable[..., Any]) -> None:
    page = models_tab(open_page())
    switch_to(page, "damaged")
    toast = page.locator(".toast-body")
    expect(toast).to_contain_text("is not the file that bundle.json describes")
    expect(page.locator("#lv-banner")).to_contain_text("starter")


def test_a_variant_made_from_the_page_appears_and_serves(open_page: Callable[..., Any], installed: Path) -> None:
    page = models_tab(open_page(locale="zh-CN"), "模型")
    switch_to(page, "own")
    expect(page.locator("#lv-banner")).to_contain_text("own")
    unfold(page, "#lv-quantize")
    pick(page, "lv-quantize-bundle", r"\(own\)")
    pick(page, "lv-quantize-recipe", "static")
    page.locator("#lv-quantize-clips input").fill("4")
    page.locator("#lv-quantize-run").click()
    expect(job(page, "running").locator("progress")).to_be_visible()
    expect(page.locator("#lv-job-quantize progress[value]")).to_be_visible(timeout=JOB_MS)  # how far it is, clip by clip
    page.reload()  # the state is the server's
    models_tab(page, "模型")
    expect(page.locator("#lv-job-quantize")).to_contain_text("量化 own")
    job(page, "done")
    expect(page.locator('#lv-models [data-bundle="own"]')).to_contain_text("INT8-STATIC")
    assert "int8-static" in Bundle.load(installed / "own").variants
    # It is the open bundle: opened anew, its precisions are on offer without a restart.
    expect(page.locator("#lv-banner")).to_contain_text("INT8-STATIC")
    switch_to(page, "starter")
    expect(page.locator("#lv-banner")).to_contain_text("LightVoice starter")


def test_a_second_job_is_refused_while_one_runs_and_cancel_leaves_no_half_bundle(open_page: Callable[..., Any], installed: Path) -> None:
    page = models_tab(open_page())
    unfold(page, "#lv-quantize")
    pick(page, "lv-quantize-bundle", r"\(starter\)")
    pick(page, "lv-quantize-recipe", "qat")
    page.locator("#lv-quantize-run").click()
    job(page, "running")
    other = models_tab(open_page())
    job(other, "running")
    unfold(other, "#lv-fetch")
    other.locator("#lv-fetch-run").click()
    expect(other.locator(".toast-body")).to_contain_text("one job runs at a time")
    other.locator("#lv-job-quantize-cancel").click()
    for one in (page, other):
        job(one, "cancelled")
        expect(one.locator("#lv-job-quantize-cancel")).to_be_hidden()
    assert not (installed / "starter-own").exists()
    assert [path.name for path in installed.iterdir() if path.name.startswith(".")] == []
    assert set(Bundle.load(STARTER).variants) == {"fp32", "int8"}


def test_sensevoice_comes_from_the_hub_with_progress(open_page: Callable[..., Any], installed: Path, hub: HubDouble) -> None:
    page = models_tab(open_page())
    unfold(page, "#lv-fetch")
    expect(page.locator("#lv-fetch")).to_contain_text("242 MB to download")
    expect(page.locator("#lv-fetch")).to_contain_text("FunASR Model Open Source License Agreement")
    pick(page, "lv-fetch-source", "Hugging Face")
    page.locator("#lv-fetch-run").click()
    expect(job(page, "running")).to_contain_text("Downloading sensevoice-small")
    expect(job(page, "done")).to_contain_text(str(installed / "sensevoice-small"))
    expect(page.locator('#lv-models [data-bundle="sensevoice-small"]')).to_be_visible()
    unfold(page, "#lv-job-log-card")
    expect(page.locator("#lv-job-log textarea")).to_have_value(re.compile("asking 127.0.0.1"))
    assert any(path.endswith("/model.int8.onnx") for _, path, _ in hub.asked)
    page.locator("#lv-fetch-run").click()
    expect(page.locator(".toast-body")).to_contain_text("is there already")


def test_a_hub_that_cannot_be_reached_is_answered_with_what_helps(open_page: Callable[..., Any]) -> None:
    page = models_tab(open_page(locale="zh-CN"), "模型")
    unfold(page, "#lv-fetch")
    pick(page, "lv-fetch-model", "^sensevoice-small-onnx$")
    page.locator("#lv-fetch-run").click()
    failed = job(page, "failed")
    for words in ("127.0.0.1:9", "HF_ENDPOINT", "镜像", "带入模型", "starter"):
        expect(failed).to_contain_text(words)
    page.get_by_role("tab", name="转写").click()  # and the page goes on
    expect(page.locator("#lv-transcript")).to_be_visible()


def test_a_folder_is_imported(open_page: Callable[..., Any], installed: Path, random_bundle: Path) -> None:
    page = models_tab(open_page())
    unfold(page, "#lv-import")
    page.locator("#lv-import-folder :is(input, textarea)").fill(str(random_bundle.parent / "checkpoint"))
    page.locator("#lv-import-name :is(input, textarea)").fill("../outside")
    page.locator("#lv-import-run").click()
    expect(page.locator(".toast-body")).to_contain_text("cannot be called")
    page.locator("#lv-import-name :is(input, textarea)").fill("brought")
    page.locator("#lv-import-run").click()
    expect(job(page, "done")).to_contain_text(str(installed / "brought"))
    expect(page.locator('#lv-models [data-bundle="brought"]')).to_be_visible()


def test_progress_stands_below_the_button_that_was_pressed(open_page: Callable[..., Any]) -> None:
    page = models_tab(open_page())
    unfold(page, "#lv-import")
    page.locator("#lv-import-folder :is(input, textarea)").fill("/no/such/folder")
    page.locator("#lv-import-name :is(input, textarea)").fill("nothing")
    button = page.locator("#lv-import-run")
    button.click()
    card = page.locator("#lv-job-import .lv-job[data-state=failed]")
    expect(card).to_contain_text("/no/such/folder", timeout=JOB_MS)
    below = card.bounding_box()["y"] - (button.bounding_box()["y"] + button.bounding_box()["height"])
    assert 0 <= below < 60


def test_a_zip_that_is_dropped_becomes_a_bundle_is_opened_from_its_card_and_deleted(
    open_page: Callable[..., Any], installed: Path, random_bundle: Path, tmp_path: Path
) -> None:
    folder = random_bundle.parent / "sherpa"
    dropped = tmp_path / "carried here.zip"
    with zipfile.ZipFile(dropped, "w") as archive:
        for name in ("model.int8.onnx", "tokens.txt"):
            archive.write(folder / name, f"carried/{name}")
    page = models_tab(open_page())
    unfold(page, "#lv-import")
    expect(page.locator("#lv-import-hint")).to_contain_text("500 MB")
    page.locator("#lv-import-files input[type=file]").set_input_files(str(dropped))
    expect(job(page, "done")).to_contain_text(str(installed / "carried-here"))
    page.locator("#lv-job-import-open").click()
    expect(page.locator('#lv-models [data-bundle="carried-here"][data-open=true]')).to_be_visible()
    expect(page.locator("#lv-job-import-open")).to_be_hidden()
    switch_to(page, "starter")
    expect(page.locator("#lv-banner")).to_contain_text("LightVoice starter")
    unfold(page, "#lv-delete")
    pick(page, "lv-delete-bundle", r"\(carried-here\)")
    page.locator("#lv-delete-run").click()
    expect(page.locator("#lv-delete-question")).to_contain_text(str(installed / "carried-here"))
    page.locator("#lv-delete-keep").click()
    expect(page.locator("#lv-delete-confirm")).to_be_hidden()
    assert (installed / "carried-here").is_dir()
    page.locator("#lv-delete-run").click()
    page.locator("#lv-delete-confirm").click()
    expect(page.locator('#lv-models [data-bundle="carried-here"]')).to_have_count(0)
    assert not (installed / "carried-here").exists()
    page.locator("#lv-delete-bundle input").click()
    expect(page.get_by_role("option", name=re.compile(r"\(starter\)"))).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_tab_fits_a_phone(open_page: Callable[..., Any], width: int) -> None:
    page = models_tab(open_page(width=width))
    for accordion in ("#lv-fetch", "#lv-import", "#lv-quantize", "#lv-delete"):
        unfold(page, accordion)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_alone_opens_another_bundle(open_page: Callable[..., Any]) -> None:
    page = models_tab(open_page())
    box = page.locator("#lv-switch-bundle input")
    box.focus()
    options = page.locator("[role=option]")
    options.first.wait_for()
    marked = page.locator("[role=option].active")
    for _ in range(options.count()):
        before = marked.all_inner_texts()
        page.keyboard.press("ArrowDown")
        until(lambda before=before: marked.all_inner_texts() not in (before, []))
        if "damaged" in marked.inner_text():
            break
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile(r"\(damaged\)"))
    page.keyboard.press("Tab")
    expect(page.locator("#lv-switch-run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".toast-body")).to_contain_text("is not the file")


def test_where_nobody_may_the_page_says_so_and_shows_the_bundles(browser: Any, installed: Path, hub: HubDouble, tmp_path: Path) -> None:
    with run_server(tmp_path, "--no-manage-models", **variables(installed, hub, tmp_path / "home")) as address:
        context = new_context(browser, locale="en-US")
        page = context.new_page()
        page.goto(address)
        models_tab(page)
        expect(page.locator("#lv-models-notice")).to_contain_text("--manage-models")
        expect(page.locator("#lv-models-forms")).to_be_hidden()
        expect(page.locator("#lv-models .lv-model").first).to_contain_text("open now")
        context.close()
