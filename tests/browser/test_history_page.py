"""The History tab in real Chromium: across a closed browser, two people, search, deletion, sound, and a history that fails."""

from __future__ import annotations

import base64
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import run_server
from tests.browser.history_steps import history, visit
from tests.browser.live_steps import go_live, heard, stop
from tests.browser.steps import finish_a_transcript, transcribed
from tests.browser.violations import serious_violations

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the server's history."""
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def address(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a history of its own."""
    with run_server(tmp_path_factory.mktemp("files"), "--history-folder", str(place)) as address:
        yield address


def test_a_transcript_outlives_the_browser_and_is_opened_again_with_its_sound(browser: Any, address: str, spoken_digits: Path) -> None:
    with visit(browser, address) as page:
        expect(history(page)).to_have_count(0)
        expect(page.locator("#lv-history-rows")).to_contain_text("Nothing yet")
        with page.expect_response(lambda answer: answer.url.endswith("/history/keep")):
            page.locator("#lv-history-keep").select_option("sound")
        page.locator("#lv-tab-transcribe-button").click()
        finish_a_transcript(page, spoken_digits)
        words = page.locator("#lv-transcript .lv-text").first.inner_text()
        expect(history(page)).to_have_count(1)
        state = page.context.storage_state()
    with visit(browser, address, state=state) as page:  # another day
        expect(page.locator(".lv-row")).to_have_count(0)
        rows = history(page)
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("with recording")
        assert page.evaluate("document.cookie") == ""
        rows.first.locator(".lv-kept-name").click()
        expect(page.locator("#lv-transcript .lv-segment")).to_have_count(2)
        assert page.locator("#lv-transcript .lv-text").first.inner_text() == words
        page.wait_for_function("document.getElementById('lv-player')?.duration > 1")


def test_two_browsers_do_not_see_each_others(browser: Any, address: str, spoken_digits: Path) -> None:
    with visit(browser, address) as first, visit(browser, address, locale="zh-CN") as second:
        finish_a_transcript(first, spoken_digits)
        expect(history(first)).to_have_count(1)
        expect(history(second)).to_have_count(0)
        expect(second.locator("#lv-history-who")).to_contain_text("其他浏览器看不到")
        kept = first.locator(".lv-kept").get_attribute("data-kept")
        status = second.evaluate(f"fetch('history/{kept}.txt').then((answer) => answer.status)")
        assert status == 404


def test_two_people_with_passwords_have_each_their_own_on_one_machine(browser: Any, spoken_digits: Path, tmp_path: Path) -> None:
    people = tmp_path / "people.txt"
    people.write_text("ann:first password\nben:second password\n")
    people.chmod(0o600)

    def login(name: str, password: str) -> dict[str, Any]:
        word = base64.b64encode(f"{name}:{password}".encode()).decode()
        return {"extra_http_headers": {"authorization": f"Basic {word}"}}

    with run_server(tmp_path, "--auth", str(people), "--history-folder", str(tmp_path / "history")) as address:
        with visit(browser, address, **login("ann", "first password")) as ann:
            finish_a_transcript(ann, spoken_digits)
            expect(history(ann)).to_have_count(1)
            expect(ann.locator("#lv-history-who")).to_contain_text("for ann")
        with visit(browser, address, **login("ben", "second password")) as ben:
            expect(history(ben)).to_have_count(0)
        with visit(browser, address, **login("ann", "first password")) as ann:
            expect(history(ann)).to_have_count(1)


def test_search_and_deletion(browser: Any, address: str, spoken_digits: Path, quiet_wav: Path) -> None:
    with visit(browser, address) as page:
        transcribed(page, spoken_digits, quiet_wav)
        rows = history(page)
        expect(rows).to_have_count(2)
        word = re.search(r"\w{3,}", page.locator('.lv-kept:has-text("digits-en") .lv-kept-words').inner_text().replace("No", ""))
        assert word is not None
        page.locator("#lv-history-search").fill(word[0])
        expect(rows).to_have_count(1)
        expect(rows.locator("mark").first).to_have_text(re.compile(re.escape(word[0]), re.IGNORECASE))
        page.locator("#lv-history-search").fill("nobody said this")
        expect(page.locator("#lv-history-rows")).to_contain_text("Nothing holds these words")
        page.locator("#lv-history-search").fill("")
        expect(rows).to_have_count(2)
        with page.expect_download() as download:
            rows.filter(has_text="digits-en").get_by_text("SRT", exact=True).click()
        assert download.value.suggested_filename == "digits-en.srt"
        rows.filter(has_text="quiet").locator("[data-history=delete]").click()
        expect(rows).to_have_count(1)
        expect(page.locator("[data-history=delete]")).to_be_focused()
        page.locator("#lv-history-delete-all").click()
        expect(rows).to_have_count(0)
        expect(page.locator("#lv-history-delete-all")).to_be_hidden()


def test_live_speech_is_kept(browser: Any, address: str) -> None:
    with visit(browser, address) as page:
        go_live(page)
        heard(page, 1)
        stop(page)
        rows = history(page)
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("Live")
        rows.first.locator(".lv-kept-name").click()
        expect(page.locator("#lv-transcript .lv-segment").first).to_be_visible()


def test_a_history_that_is_held_is_said_and_the_transcript_is_all_there(
    browser: Any, address: str, place: Path, spoken_digits: Path
) -> None:
    with visit(browser, address) as page:
        expect(history(page)).to_have_count(0)
        page.locator("#lv-tab-transcribe-button").click()
        other = sqlite3.connect(place / "history.sqlite", timeout=30, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        finish_a_transcript(page, spoken_digits)
        expect(page.locator("#lv-queue-head .lv-history-note")).to_contain_text("not in the history")
        expect(page.locator("#lv-download-txt")).to_be_visible()
        other.execute("ROLLBACK")
        other.close()
        rows = history(page)
        expect(rows).to_have_count(0)  # nobody has tried again yet; RETRY_S later it is there
        page.wait_for_function(
            "() => { window.lightvoiceHistory.look(); return document.querySelectorAll('.lv-kept').length === 1; }",
            polling=1000,
        )


@pytest.mark.parametrize(("locale", "scheme", "width"), [("en-US", "light", 1280), ("zh-CN", "dark", 390)])
def test_the_tab_is_accessible_fits_a_phone_and_speaks_the_readers_language(
    browser: Any, address: str, spoken_digits: Path, locale: str, scheme: str, width: int
) -> None:
    options = {"locale": locale, "color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with visit(browser, address, **options) as page:
        finish_a_transcript(page, spoken_digits)
        page.evaluate("window.lightvoiceHistory.look()")
        tab = page.locator("#lv-tab-history-button")
        if tab.is_visible():
            tab.click()
        else:  # on a phone the last tabs lie behind a button
            page.locator(".overflow-menu > button").click()
            page.locator(".overflow-dropdown button").last.click()
        expect(page.locator(".lv-kept")).to_have_count(1)
        page.locator("#lv-history-search").fill("one")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert serious_violations(page) == []
        chinese = re.search("[\u4e00-\u9fff]", page.locator(".lv-history-tools").inner_text()) is not None
        assert chinese is (locale == "zh-CN")


def test_without_a_history_there_is_no_tab(browser: Any, tmp_path: Path) -> None:
    with run_server(tmp_path, "--no-history") as address, visit(browser, address) as page:
        expect(page.locator("#lv-tab-history-button")).to_have_count(0)
        assert page.evaluate("fetch('history').then((answer) => answer.status)") == 404


def test_many_tabs_of_one_browser_share_one_history_and_none_waits_for_another(browser: Any, address: str, spoken_digits: Path) -> None:
    with visit(browser, address) as page:
        tabs = [page, *(page.context.new_page() for _ in range(7))]  # browsers have six connections to a server
        for tab in tabs[1:]:
            tab.goto(address)
        for tab in tabs:
            tab.locator("#lv-queue").wait_for()
        cookies = [cookie for cookie in page.context.cookies() if cookie["name"] == "lightvoice-history"]
        assert [cookie["httpOnly"] for cookie in cookies] == [True]
        finish_a_transcript(tabs[-1], spoken_digits)
        for tab in tabs:
            expect(history(tab)).to_have_count(1)
