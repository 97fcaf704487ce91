"""A transcript of hours on the page: little of it is in the page, all of it can be found, played and followed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks.long_transcript import PAUSE_MS, SEGMENT_MS, WORD_MS, made_transcript
from engine.tags import Language
from tests.browser.viewer_steps import PLAYER_MS, Viewers, item
from tests.browser.violations import serious_violations

expect = pytest.importorskip("playwright.sync_api").expect
STEP_MS = SEGMENT_MS + PAUSE_MS
COUNT = 3 * 3600 * 1000 // STEP_MS


def in_view(page: Any, selector: str) -> bool:
    return bool(
        page.evaluate(
            "(selector) => { const {top, bottom} = document.querySelector(selector).getBoundingClientRect();"
            " return top >= 0 && bottom <= innerHeight; }",
            selector,
        )
    )


def player_at(page: Any, ms: float, *, within_ms: float = 600) -> None:
    page.wait_for_function(f"([at, within]) => Math.abs({PLAYER_MS} - at) <= within", arg=[ms, within_ms])


def test_three_hours_are_few_elements_on_a_short_page_with_the_player_in_sight(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=180, sound=False)
    assert page.locator("#lv-list .lv-segment").count() < 40
    assert page.locator("#lv-table-rows tr").count() < 60
    assert page.evaluate("document.getElementsByTagName('*').length") < 3_000
    assert page.evaluate("document.documentElement.scrollHeight") < 4_000
    expect(page.locator("#lv-table-count")).to_have_text(str(COUNT))
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert in_view(page, "#lv-timeline .lv-wave-box")
    page.evaluate("document.getElementById('lv-list-box').scrollTop = 1e9")
    expect(item(page, COUNT)).to_be_visible()
    expect(item(page, COUNT)).to_contain_text(f"part{COUNT - 1}")
    expect(item(page, COUNT)).to_have_attribute("aria-posinset", str(COUNT))
    expect(item(page, COUNT)).to_have_attribute("aria-setsize", str(COUNT))
    assert page.locator("#lv-list .lv-segment").count() < 40


def test_wherever_the_list_is_scrolled_its_segments_join_without_a_gap(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=60, sound=False)
    for share in (0.13, 0.5, 0.86, 0.31):
        page.evaluate("(share) => { const box = document.getElementById('lv-list-box'); box.scrollTop = share * box.scrollHeight; }", share)
        page.wait_for_function(
            """() => {
                const box = document.getElementById('lv-list-box').getBoundingClientRect();
                const drawn = [...document.querySelectorAll('#lv-list .lv-segment')];
                const all = drawn.map((one) => [Number(one.dataset.index), one.getBoundingClientRect()]);
                const follows = ([index, {top}], [before, {bottom}]) => index === before + 1 && Math.abs(top - bottom - 10) < 1.5;
                const joined = all.every((one, at) => !at || follows(one, all[at - 1]));
                return joined && all[0][1].top <= box.top && all.at(-1)[1].bottom >= box.bottom;
            }"""
        )


def test_words_are_found_counted_and_stepped_through(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=180, sound=False)
    item(page, 1).click(position={"x": 4, "y": 4})
    page.keyboard.press("Control+f")
    find, count = page.locator("#lv-find"), page.locator("#lv-find-count")
    expect(find).to_be_focused()
    assert "browser's own search" in (find.get_attribute("title") or "")
    find.fill("PART13")  # part13, part130 to part139, part1300 to part1399
    expect(count).to_have_text("1 of 111")
    expect(item(page, 14)).to_be_visible()
    for key, said, number in (("Enter", "2 of 111", 131), ("Shift+Enter", "1 of 111", 14), ("Shift+Enter", "111 of 111", 1_400)):
        find.press(key)
        expect(count).to_have_text(said)
        expect(item(page, number)).to_be_visible()
    page.wait_for_function("CSS.highlights.get('lv-find-current').size === 1")
    page.locator("#lv-find-next").click()
    expect(count).to_have_text("1 of 111")
    find.fill("nobody said this")
    expect(count).to_have_text("not found")
    find.press("Escape")
    expect(count).to_be_empty()
    page.evaluate("box = document.getElementById('lv-list-box'); box.scrollTop = box.scrollHeight / 2")
    find.fill("PART13")  # from where the person reads, as browsers do
    expect(count).to_have_text(re.compile(r"^[4-9]\d of 111$"))  # of the hundred around the middle, not the first one


def test_while_it_plays_the_segment_is_followed_and_the_spoken_word_is_marked(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=30)
    at_ms = 300 * STEP_MS
    page.evaluate("(ms) => { const player = document.getElementById('lv-player'); player.currentTime = ms / 1000; player.play(); }", at_ms)
    expect(item(page, 301)).to_have_class(re.compile("lv-playing"))
    expect(item(page, 301)).to_be_visible()
    expect(item(page, 301).locator(".lv-word.lv-spoken")).to_have_count(1)
    page.wait_for_function(
        f"""() => {{
            const word = document.querySelector('.lv-spoken'), now = {PLAYER_MS}, start = Number(word?.dataset.start);
            return word && now >= start - 60 && now <= start + {2 * WORD_MS};
        }}"""
    )
    page.locator("#lv-list-box").hover()
    page.mouse.wheel(0, -3_000)
    expect(page.locator("#lv-follow")).not_to_be_checked()
    expect(item(page, 301)).not_to_be_in_viewport()
    page.locator("#lv-follow").check()
    expect(page.locator("#lv-list .lv-playing").first).to_be_in_viewport()


def test_timeline_strip_word_and_table_row_all_seek(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=30)
    box = page.locator("#lv-timeline .lv-wave-box")
    box.click(position={"x": box.bounding_box()["width"] / 2, "y": 20})
    player_at(page, 15 * 60_000, within_ms=5_000)
    expect(item(page, 226)).to_be_visible()
    expect(box).to_have_attribute("aria-valuetext", re.compile(r"1[45]:"))
    strip = page.locator(".lv-strip-box")
    strip.click(position={"x": 3, "y": 20})
    player_at(page, 15 * 60_000 - 3_600, within_ms=5_000)
    page.locator("#lv-table-rows tr[data-index='2'] td").nth(5).click()
    player_at(page, 2 * STEP_MS)
    expect(item(page, 3)).to_have_class(re.compile("lv-selected"))
    item(page, 4).locator(".lv-word").nth(5).click()
    at_ms = page.wait_for_function(f"() => {PLAYER_MS} >= {3 * STEP_MS + 5 * WORD_MS} && {PLAYER_MS}").json_value()
    assert at_ms < 4 * STEP_MS + 2_000
    box.focus()
    page.keyboard.press("Home")
    player_at(page, 0, within_ms=2_000)


def test_the_keys_play_pause_step_and_change_the_speed(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=5)
    playing = "() => !document.getElementById('lv-player').paused"
    paused = "() => document.getElementById('lv-player').paused"
    item(page, 2).click(position={"x": 4, "y": 4})
    expect(item(page, 2)).to_be_focused()
    for key, state in ((" ", playing), (" ", paused), ("k", playing), ("k", paused)):
        page.keyboard.press(key)
        page.wait_for_function(state)
    start_ms = page.evaluate(PLAYER_MS)
    for key, by_s in (("l", 10), ("l", 20), ("j", 10), ("ArrowRight", 15), ("ArrowLeft", 10)):
        page.keyboard.press(key)
        player_at(page, start_ms + by_s * 1000, within_ms=50)
    page.keyboard.press("ArrowDown")
    expect(item(page, 3)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(item(page, 2)).to_be_focused()
    page.keyboard.press(">")
    assert page.evaluate("document.getElementById('lv-player').playbackRate") == 1.25
    expect(page.locator("#lv-speed")).to_have_value("1.25")
    page.locator("#lv-find").fill("jkl ")  # typing is not steering
    assert page.evaluate(paused.removeprefix("() => "))
    player_at(page, start_ms + 10_000, within_ms=50)


def test_the_play_button_of_the_segment_that_sounds_pauses(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=5)
    button = item(page, 2).locator(".lv-play")
    button.click()
    page.wait_for_function(f"() => {PLAYER_MS} > {STEP_MS + 100}")
    expect(button).to_have_accessible_name(re.compile("Pause segment 2"))
    button.click()
    page.wait_for_function("() => document.getElementById('lv-player').paused")
    expect(button).to_have_accessible_name(re.compile("Play segment 2"))
    at_ms = page.evaluate(PLAYER_MS)
    button.click()  # goes on where it was
    page.wait_for_function(f"(at) => {PLAYER_MS} > at", arg=at_ms)


def test_the_selected_segment_is_repeated(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=5)
    item(page, 3).click(position={"x": 4, "y": 4})
    page.keyboard.press("r")
    expect(page.locator("#lv-loop")).to_be_checked()
    page.evaluate("(ms) => { document.getElementById('lv-player').currentTime = ms / 1000; }", 2 * STEP_MS + SEGMENT_MS - 500)
    page.keyboard.press("k")
    page.wait_for_function(f"() => {PLAYER_MS} < {2 * STEP_MS + 1_000} && {PLAYER_MS} >= {2 * STEP_MS} - 50")


def test_a_recording_that_is_deleted_while_it_plays_is_said_and_the_text_stays(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=5)
    page.evaluate("document.getElementById('lv-player').play()")
    page.wait_for_function(f"() => {PLAYER_MS} > 50")
    entry_now = viewers.shown.queue.find(entry.id)
    entry_now.result.playback.unlink()
    # What it has not loaded yet; under another address, for the browser keeps what it has.
    page.evaluate("() => { const player = document.getElementById('lv-player'); player.src += '?more'; player.play().catch(() => {}); }")
    expect(page.locator("#lv-viewer-said")).to_contain_text("cannot be played any more")
    expect(item(page, 1)).to_contain_text("part0")
    item(page, 2).click(position={"x": 4, "y": 4})  # its waveform is gone too, and nothing breaks
    expect(page.locator("#lv-strip .lv-handle").first).to_be_visible()


@pytest.mark.parametrize(("locale", "scheme", "width"), [("en-US", "light", 1280), ("zh-CN", "dark", 390)])
def test_a_long_transcript_has_nothing_serious_for_axe(viewers: Viewers, locale: str, scheme: str, width: int) -> None:
    language = Language.ZH if locale == "zh-CN" else Language.EN
    page, _ = viewers.open(made_transcript(1_800, language=language, channels=2), locale=locale, color_scheme=scheme, width=width)
    item(page, 2).locator(".lv-play").focus()
    item(page, 2).click(position={"x": 4, "y": 4})
    expect(page.locator(".lv-segment-tools")).to_be_visible()
    assert serious_violations(page) == []


def test_the_chinese_page_marks_each_character_and_speaks_chinese(viewers: Viewers) -> None:
    page, _ = viewers.open(made_transcript(600, language=Language.ZH), locale="zh-CN")
    expect(item(page, 1).locator(".lv-text > span")).to_have_attribute("lang", "zh-CN")
    expect(item(page, 1).locator(".lv-word")).to_have_count(10)
    find = page.get_by_role("searchbox", name="在文本中查找")
    find.fill("接下来")
    expect(page.locator("#lv-find-count")).to_have_text(re.compile(r"第 1 个，共 \d+ 个"))
    page.evaluate(
        "(ms) => { const player = document.getElementById('lv-player'); player.currentTime = ms / 1000; player.play(); }", 40 * STEP_MS
    )
    expect(item(page, 41).locator(".lv-word.lv-spoken")).to_have_count(1)
    expect(item(page, 41).locator(".lv-play")).to_have_accessible_name(re.compile("暂停片段 41"))
