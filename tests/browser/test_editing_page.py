"""Segments are split, joined, moved, tagged and named on the page; undo takes it back; every export has it."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import docx
import pytest

from benchmarks.long_transcript import PAUSE_MS, SEGMENT_MS, WORD_MS, made_transcript
from engine.editing.recognized_words import RecognizedWords
from engine.tags import Language
from tests.browser.steps import downloaded
from tests.browser.viewer_steps import Viewers, exported, item, saved
from tests.subtitles import read_srt, read_vtt
from ui.scheduling.recording_queue import Entry

expect = pytest.importorskip("playwright.sync_api").expect
STEP_MS = SEGMENT_MS + PAUSE_MS


def chosen(page: Any, number: int) -> Any:
    """Select a segment by its edge, where nothing is played."""
    item(page, number).click(position={"x": 4, "y": 4})
    expect(item(page, number)).to_have_class(re.compile("lv-selected"))
    return item(page, number)


def split_at(page: Any, number: int, word: int) -> None:
    item(page, number).locator(".lv-word").nth(word).click()
    saved(page, lambda: item(page, number).get_by_role("button", name="Split", exact=True).click())


def texts(segments: list[dict[str, Any]]) -> list[str]:
    return [segment["text"] for segment in segments]


def test_a_split_and_a_join_keep_words_and_tokens_and_undo_takes_each_back(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    before = exported(viewers, entry)
    words = before[1]["text"].split()
    split_at(page, 2, 4)
    after = exported(viewers, entry)
    assert texts(after)[1:3] == [" ".join(words[:4]), " ".join(words[4:])]
    assert (after[1]["start_ms"], after[2]["end_ms"]) == (before[1]["start_ms"], before[1]["end_ms"])
    assert after[1]["end_ms"] <= after[2]["start_ms"] == STEP_MS + 4 * WORD_MS
    assert after[1]["tokens"] + after[2]["tokens"] == before[1]["tokens"]
    assert len(after[1]["tokens"]) == 4
    expect(page.locator("#lv-table-count")).to_have_text(str(len(before) + 1))
    chosen(page, 2)
    saved(page, lambda: page.keyboard.press("m"))
    assert exported(viewers, entry) == before
    expect(page.locator(".lv-edited")).to_have_count(0)
    chosen(page, 2)
    saved(page, lambda: page.keyboard.press("m"))
    joined = exported(viewers, entry)
    assert joined[1]["text"] == f"{before[1]['text']} {before[2]['text']}"
    assert joined[1]["tokens"] == before[1]["tokens"] + before[2]["tokens"]
    assert (joined[1]["start_ms"], joined[1]["end_ms"]) == (before[1]["start_ms"], before[2]["end_ms"])
    saved(page, lambda: page.keyboard.press("Control+z"))
    assert exported(viewers, entry) == before
    saved(page, lambda: page.locator("#lv-undo").click())
    assert len(exported(viewers, entry)) == len(before) + 1
    saved(page, lambda: page.locator("#lv-redo").click())
    assert exported(viewers, entry) == before
    saved(page, lambda: page.locator("#lv-redo").click())
    assert exported(viewers, entry) == joined
    expect(page.locator("#lv-redo")).to_be_disabled()
    page.reload()
    expect(page.locator("#lv-undo")).to_be_enabled()
    saved(page, lambda: page.locator("#lv-undo").click())
    assert exported(viewers, entry) == before


def test_what_another_page_has_changed_meanwhile_is_not_undone_by_what_was_kept_before(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    chosen(page, 2)
    saved(page, lambda: page.keyboard.press("m"))
    page.goto(f"{viewers.shown.address}/healthz")
    other = viewers.page()
    chosen(other, 4)
    saved(other, lambda: other.keyboard.press("m"))
    page.goto(viewers.shown.address)
    item(page, 1).wait_for()
    expect(page.locator("#lv-undo")).to_be_disabled()
    assert len(exported(viewers, entry)) == 13


def test_a_text_is_split_at_the_cursor(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    chosen(page, 3).press("Enter")
    field = page.get_by_role("textbox", name=re.compile("Text of segment 3"))
    field.fill("first of them and the second")
    field.evaluate("(field) => field.setSelectionRange(13, 13)")
    saved(page, lambda: field.press("Control+Enter"))
    after = exported(viewers, entry)
    assert texts(after)[2:4] == ["first of them", "and the second"]
    assert after[2]["start_ms"] == 2 * STEP_MS < after[2]["end_ms"] <= after[3]["start_ms"] < after[3]["end_ms"] == 2 * STEP_MS + SEGMENT_MS
    expect(page.locator(".lv-edited")).to_have_count(2)
    saved(page, lambda: page.keyboard.press("Control+z"))
    assert texts(exported(viewers, entry)) == texts([one.to_dict() for one in entry_result(viewers, entry).transcript.segments])


def entry_result(viewers: Viewers, entry: Entry) -> Any:
    found = viewers.shown.queue.find(entry.id)
    assert found is not None and found.result is not None
    return found.result


def test_mandarin_is_split_and_joined_without_spaces(viewers: Viewers) -> None:
    page, entry = viewers.open(made_transcript(60, language=Language.ZH), locale="zh-CN")
    before = exported(viewers, entry)
    item(page, 1).locator(".lv-word").nth(3).click()
    saved(page, lambda: item(page, 1).get_by_role("button", name="拆分").click())
    assert texts(exported(viewers, entry))[:2] == [before[0]["text"][:3], before[0]["text"][3:]]
    chosen(page, 1)
    saved(page, lambda: item(page, 1).get_by_role("button", name="与下一段合并").click())
    assert exported(viewers, entry) == before


def test_ends_are_moved_by_dragging_by_key_and_to_the_player(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    chosen(page, 2)
    start, end = (page.get_by_role("slider", name=f"{which} of the segment") for which in ("Start", "End"))
    box, strip = start.bounding_box(), page.locator(".lv-strip-box").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    width_ms = int(start.get_attribute("aria-valuemax")) - int(start.get_attribute("aria-valuemin"))

    def drag() -> None:
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 20, y, steps=4)
        page.mouse.move(x + 40, y, steps=4)
        page.mouse.up()

    saved(page, drag)
    moved_ms = exported(viewers, entry)[1]["start_ms"]
    assert abs(moved_ms - (STEP_MS + 40 / strip["width"] * width_ms)) < 60
    expect(start).to_have_attribute("aria-valuenow", str(moved_ms))
    end.focus()
    saved(page, lambda: page.keyboard.press("ArrowRight"))
    saved(page, lambda: page.keyboard.press("Shift+ArrowLeft"))
    expect(end).to_be_focused()
    assert exported(viewers, entry)[1]["end_ms"] == STEP_MS + SEGMENT_MS + 20 - 200
    for _ in range(3):  # never past the neighbour
        saved(page, lambda: page.keyboard.press("Shift+ArrowRight"))
    page.keyboard.press("Shift+ArrowRight")
    expect(end).to_have_attribute("aria-valuenow", str(2 * STEP_MS))
    page.evaluate("(ms) => { document.getElementById('lv-player').currentTime = ms / 1000; }", STEP_MS + 1_000)
    chosen(page, 2)
    saved(page, lambda: page.keyboard.press("["))
    assert exported(viewers, entry)[1]["start_ms"] == STEP_MS + 1_000
    expect(item(page, 2)).to_contain_text("0:05.0–0:08.0")
    expect(page.locator("#lv-table-rows tr[data-index='1']")).to_contain_text("0:05.0")
    moved = re.compile(re.escape(f"M{(STEP_MS + 1_000) / 60_000 * 1000:.1f}"))
    expect(page.locator(".lv-wave-segment").first).to_have_attribute("d", moved)


def test_tags_and_speakers_are_changed_and_every_export_has_them(viewers: Viewers) -> None:
    page, _ = viewers.open(made_transcript(40, channels=2, file="call.wav"))
    chosen(page, 2)
    for family, value in (("emotion", "ANGRY"), ("event", "Laughter"), ("language", "yue")):
        saved(page, lambda family=family, value=value: item(page, 2).locator(f'[data-tag="{family}"]').select_option(value))
    expect(item(page, 2).locator(".lv-tags")).to_have_accessible_name(re.compile("Cantonese chosen by you, Angry chosen by you"))
    saved(page, lambda: item(page, 2).get_by_role("textbox", name="Speaker").fill("Ann <b>Lee</b>") or page.keyboard.press("Enter"))
    expect(item(page, 4).locator(".lv-speaker")).to_have_text("Ann <b>Lee</b>")
    expect(item(page, 1).locator(".lv-speaker")).to_have_text("Speaker 1")
    item(page, 2).get_by_role("button", name="Edit the text of segment 2").click()
    field = page.get_by_role("textbox", name=re.compile("Text of segment 2"))
    field.fill("=well, <i>we</i> agree")
    saved(page, lambda: field.press("Enter"))
    assert downloaded(page, "txt")[1].decode().splitlines()[1] == "Ann <b>Lee</b>: =well, <i>we</i> agree"
    assert read_srt(downloaded(page, "srt")[1].decode())[1].text == "Ann <b>Lee</b>: =well, <i>we</i> agree"
    vtt = downloaded(page, "vtt")[1].decode()
    assert "<v Ann &lt;b&gt;Lee&lt;/b&gt;>" in vtt
    assert any("agree" in cue.text for cue in read_vtt(vtt))
    second = json.loads(downloaded(page, "json")[1])["segments"][1]
    assert (second["speaker"], second["language"], second["emotion"], second["event"]) == ("Ann <b>Lee</b>", "yue", "ANGRY", "Laughter")
    assert second["confidence"] == {"language": 1.0, "emotion": 1.0, "event": 1.0}
    rows = list(csv.reader(io.StringIO(downloaded(page, "csv")[1].decode())))
    assert rows[2] == ["4.000", "7.600", "Ann <b>Lee</b>", "yue", "ANGRY", "Laughter", "'=well, <i>we</i> agree"]
    name, content = downloaded(page, "docx")
    assert name == "call.docx"
    paragraphs = [one.text for one in docx.Document(io.BytesIO(content)).paragraphs]
    assert "Ann <b>Lee</b>: =well, <i>we</i> agree  [ANGRY, Laughter]" in paragraphs[3]
    page.reload()
    item(page, 4).wait_for()
    expect(item(page, 4).locator(".lv-speaker")).to_have_text("Ann <b>Lee</b>")
    expect(item(page, 2).locator(".lv-text")).to_have_text("=well, <i>we</i> agree")


def test_an_edit_of_a_transcript_that_another_run_replaced_is_not_taken_and_said(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    chosen(page, 2)
    queue = viewers.shown.queue
    newer = made_transcript(60, channels=2)
    with queue._lock:  # as a second run of the same recording would
        now = queue._entries[entry.id]
        queue._entries[entry.id] = replace(
            now, revision=now.revision + 1, result=replace(now.result, transcript=newer, words=RecognizedWords(newer.segments))
        )
    with page.expect_response("**/edits?*") as answer:
        page.keyboard.press("m")
    assert answer.value.status == 409
    expect(page.locator("#lv-viewer-said")).to_contain_text("changed by another run or page")
    expect(item(page, 1).locator(".lv-speaker")).to_have_text("Speaker 1")  # the newer one is shown
    assert queue.find(entry.id).result.edits is None
    chosen(page, 2)  # and can be edited
    saved(page, lambda: page.keyboard.press("m"))
    assert queue.find(entry.id).result.edits is not None


def test_two_pages_on_one_transcript_do_not_write_over_each_other(viewers: Viewers) -> None:
    page, _ = viewers.open(minutes=1)
    other = viewers.page()
    chosen(page, 1)
    saved(page, lambda: page.keyboard.press("m"))
    chosen(other, 5)
    with other.expect_response("**/edits?*") as answer:
        other.keyboard.press("m")
    assert answer.value.status == 409
    expect(other.locator("#lv-viewer-said")).to_contain_text("changed by another run or page")
    expect(other.locator("#lv-table-count")).to_have_text("14")


def test_a_change_is_sent_again_when_the_server_answers_again_and_what_came_meanwhile_goes_with_it(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    count = len(exported(viewers, entry))
    page.route("**/edits?*", lambda route: route.abort())
    chosen(page, 1).press("m")
    expect(page.locator("#lv-viewer-said")).to_contain_text("not saved")
    page.keyboard.press("m")
    page.unroute("**/edits?*")
    expect(page.locator("#lv-viewer-said")).to_contain_text("Saved.")
    assert len(exported(viewers, entry)) == count - 2


def test_a_recording_that_is_removed_while_it_is_edited_is_said(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1)
    chosen(page, 1)
    viewers.shown.queue.remove(entry.id)
    page.keyboard.press("m")
    expect(page.locator("#lv-viewer-said")).to_contain_text("no longer on the server")


def test_what_nothing_can_be_done_with_is_said(viewers: Viewers) -> None:
    page, entry = viewers.open(minutes=1, sound=False)
    count = len(exported(viewers, entry))
    chosen(page, 1).press("s")
    expect(page.locator("#lv-viewer-said")).to_contain_text("Click a word")
    page.locator("#lv-list-box").evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    chosen(page, count).press("m")
    expect(page.locator("#lv-viewer-said")).to_contain_text("no next segment")
    assert entry_result(viewers, entry).edits is None
