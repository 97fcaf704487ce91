"""What the page's script is answered: rows, transcripts, edits, sound, downloads; escaped, and only for who knows the queue's id."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import docx
import httpx
import pytest

from engine.audio.waveform import load_audio
from engine.editing.edits import LONGEST_TEXT
from engine.options import TranscribeOptions
from tests.subtitles import read_srt, read_vtt
from tests.ui.fake_engine import FakeEngine
from tests.ui.html_reader import Reader
from tests.ui.queue_client import OTHERS, OURS, QueueClient, transcribed, wait
from tests.ui.sent_transcript import sent_segments, sent_state
from tests.waiting import until
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import EntryState, RecordingQueue
from ui.transcribe import queue_routes
from ui.transcribe.exports import MEDIA_TYPES
from ui.transcribe.playback_copy import LONGEST_WINDOW_MS, WINDOW_COLUMNS
from ui.transcribe.queue_html import LATEST_SHOWN
from ui.transcribe.queue_routes import MOST_EDIT_BYTES, REVISION_HEADER, TRANSCRIBED_HEADER

NASTY = '<img src=x onerror="alert(1)">&.wav'


def test_a_page_without_recordings_has_an_empty_queue(ask: QueueClient) -> None:
    assert ask("", queue=OTHERS).json() == {"active": False, "head": "", "rows": [], "shown": None}


def test_rows_show_name_length_state_and_what_can_be_done(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    queue.add(two_words, "a.wav")
    state = ask("").json()
    shown = Reader(state["rows"][0]["html"]).text
    for words in ("a.wav", "0:03.0", "Ready"):
        assert words in shown
    assert "0 of 1 done" in state["head"]
    assert "zip" not in state["head"]
    runner.submit(queue, TranscribeOptions())
    wait(queue)
    transcribed(runner, queue, two_words, "b.wav")
    state = ask("").json()
    assert "2 of 2 done" in state["head"]
    assert f"recordings/{OURS}/all.zip" in state["head"]
    assert "已完成 2/2" in ask("", language="zh-CN").json()["head"]


def test_a_run_that_ends_while_the_queue_is_described_is_said_at_the_next_look(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a page would be told that nothing runs, of a recording that has no transcript yet, and would not ask again for a minute."""
    engine = runner._engine
    assert isinstance(engine, FakeEngine)
    engine.hold.clear()
    queue.add(two_words, "a.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: queue.entries()[0].state is EntryState.RUNNING)
    draw = queue_routes.row_html

    def drawn_late(*arguments: Any, **others: Any) -> Any:
        engine.hold.set()
        wait(queue)
        return draw(*arguments, **others)

    monkeypatch.setattr(queue_routes, "row_html", drawn_late)
    state = ask("").json()
    assert state["active"] and not state["shown"]["transcribed"]
    state = ask("").json()
    assert not state["active"] and state["shown"]["transcribed"]


def test_names_and_reasons_never_become_markup(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, tmp_path: Path, two_words: Path
) -> None:
    bad = tmp_path / NASTY.replace("/", "")
    bad.write_bytes(b"no audio")
    failed, done = queue.add(bad, NASTY), queue.add(two_words, NASTY)
    runner.submit(queue, TranscribeOptions())
    wait(queue)
    pages = [row["html"] for row in ask("").json()["rows"]]
    pages += [ask(f"/{entry.id}/result").text for entry in (failed, done)]
    assert edit(ask, done.id, text=NASTY).status_code == 200
    pages.append(ask(f"/{done.id}/result").text)
    for page in pages:
        reader = Reader(page)
        assert "img" not in reader.tags
        assert "onerror" in reader.text


def state(ask: QueueClient, entry: str) -> dict[str, Any]:
    """The version and the edits that the page is shown."""
    return sent_state(ask(f"/{entry}/result").text)


def recognized(ask: QueueClient, entry: str) -> list[dict[str, Any]]:
    """The recognized segments that the page is sent."""
    return sent_segments(ask(f"/{entry}/segments").json())


def edit(ask: QueueClient, entry: str, *, seen: str | None = None, **changes: object) -> httpx.Response:
    """Send the transcript with its first segment changed, as the page does."""
    first, *others = recognized(ask, entry)
    segment = {
        "start_ms": first["start"],
        "end_ms": first["end"],
        **{name: first[name] for name in ("text", "language", "emotion", "event")},
        "pieces": [[0, 0, first["count"]]],
    }
    sent = {"segments": [{**segment, **changes}, *range(1, len(others) + 1)], "speakers": []}
    return ask.post(f"/{entry}/edits?seen={seen or state(ask, entry)['version']}", json=sent)


def test_an_edit_is_shown_kept_and_exported(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    before, segments = state(ask, entry), recognized(ask, entry)
    answer = edit(ask, entry, text="my own words")
    after = state(ask, entry)
    assert answer.json() == {"version": after["version"]} != {"version": before["version"]}
    assert after["edits"]["segments"][0]["text"] == "my own words"
    assert before["edits"] is None
    assert recognized(ask, entry) == segments
    for name in ("txt", "srt", "vtt", "json", "csv"):
        content = ask(f"/{entry}.{name}").text
        assert "my own words" in content
        assert "three one four" not in content
    document = docx.Document(io.BytesIO(ask(f"/{entry}.docx").content))
    assert any("my own words" in one.text for one in document.paragraphs)
    put_back = ask.post(f"/{entry}/edits?seen={after['version']}", json={"segments": [0, 1]})
    assert put_back.status_code == 200
    assert state(ask, entry)["edits"] is None
    assert "three one four" in ask(f"/{entry}.txt").text


def test_the_viewers_segments_have_words_times_and_probabilities(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    first, second = recognized(ask, entry)
    assert state(ask, entry)["duration_ms"] == 3_000
    words = first["words"]
    assert [first["text"][begin:end] for begin, end, *_ in words] == ["three", "one", "four"]
    assert all(first["start"] <= start <= end <= first["end"] for _, _, start, end, _ in words)
    assert [word[4] for word in words] == [0.9, None, None]
    assert second["words"][0][2] >= second["start"] > first["end"]
    assert first["likeliest"]["emotion"][0] == ["NEUTRAL", 0.71]


def test_the_viewers_segments_come_as_they_were_compressed_by_the_run_or_plain(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    found = queue.find(entry)
    assert found is not None
    assert found.result is not None
    packed, plain = (ask(f"/{entry}/segments", headers={"accept-encoding": encoding}) for encoding in ("gzip", "identity"))
    assert packed.json() == plain.json()
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(found.result.words.sent or b"")
    assert "content-encoding" not in plain.headers
    assert (packed.headers["vary"], packed.headers["cache-control"]) == ("accept-encoding", "no-store")


def test_the_frame_says_which_state_it_is_of_and_a_click_is_answered_with_the_queue(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    first, second = transcribed(runner, queue, two_words, "a.wav", "b.wav")
    for entry in (second, first):
        shown = ask.post(f"/{entry}/select").json()["shown"]
        assert (shown["id"], shown["transcribed"]) == (entry, True)
        headers = ask(f"/{entry}/result").headers
        assert (headers[REVISION_HEADER], headers[TRANSCRIBED_HEADER]) == (shown["revision"], "yes")
    waiting = queue.add(two_words, "c.wav")
    shown = ask.post(f"/{waiting.id}/select").json()["shown"]
    assert (shown["id"], shown["transcribed"]) == (waiting.id, False)
    assert ask(f"/{waiting.id}/result").headers[TRANSCRIBED_HEADER] == "no"


def test_an_edit_of_another_version_is_a_conflict_and_one_that_does_not_fit_is_refused(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    assert edit(ask, entry, seen="0-0").status_code == 409
    version = state(ask, entry)["version"]
    refused = ["[]", "no JSON", '{"segments": [7]}', '{"segments": ["<b>"]}', '{"segments": [{"start_ms": 0}]}']
    for body in refused:
        assert ask.post(f"/{entry}/edits?seen={version}", content=body).status_code == 422
    for changes in ({"end_ms": 10**12}, {"language": "zn"}, {"text": "x" * (LONGEST_TEXT + 1)}, {"pieces": [[0, 0, 99]]}):
        assert edit(ask, entry, **changes).status_code == 422
    assert ask.post(f"/{entry}/edits?seen={version}", content=b" " * (MOST_EDIT_BYTES + 1)).status_code == 413
    assert ask.post(f"/nobody/edits?seen={version}", json={"segments": []}).status_code == 404
    assert ask.post(f"/{entry}/edits", json={"segments": []}).status_code == 422
    assert ask.post(f"/{entry}/explode").status_code == 404
    assert state(ask, entry)["version"] == version


def test_the_strip_gets_the_waveform_between_two_times(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    peaks = ask(f"/{entry}/peaks?start_ms=0&end_ms=1000").json()
    assert len(peaks) == WINDOW_COLUMNS
    assert max(peaks[: WINDOW_COLUMNS // 3]) <= 1
    assert min(peaks[WINDOW_COLUMNS * 2 // 3 :]) > 60
    assert len(ask(f"/{entry}/peaks?start_ms=2500&end_ms=3500").json()) == WINDOW_COLUMNS // 2
    assert ask(f"/{entry}/peaks?start_ms=9000&end_ms=9500").json() == []
    for wrong in ("start_ms=5&end_ms=5", "start_ms=-1&end_ms=5", f"start_ms=0&end_ms={LONGEST_WINDOW_MS + 1}", "start_ms=0"):
        assert ask(f"/{entry}/peaks?{wrong}").status_code == 422
    queue.find(entry).result.playback.unlink()
    assert ask(f"/{entry}/peaks?start_ms=0&end_ms=1000").status_code == 404
    assert ask(f"/{entry}/audio").status_code == 404


def test_downloads_are_attachments_with_the_recordings_name(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    (entry,) = transcribed(runner, queue, two_words, "会议 1.mp3")
    for name in ("txt", "srt", "vtt", "json"):
        answer = ask(f"/{entry}.{name}")
        assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''{quote(f'会议 1.{name}')}"
        assert answer.headers["content-type"].endswith("charset=utf-8")
    assert ask(f"/{entry}.docx").headers["content-type"] == MEDIA_TYPES["docx"]
    assert len(read_srt(ask(f"/{entry}.srt").text)) == len(read_vtt(ask(f"/{entry}.vtt").text)) == 2
    assert ask(f"/{entry}.exe").status_code == 404


def test_subtitles_are_cut_as_the_download_asks(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    edit(ask, entry, text="one two three four five six")
    chosen = "max_line_width=14&max_line_count=2&min_cue_ms=300"
    assert next(cue.text for cue in read_srt(ask(f"/{entry}.srt?{chosen}").text)) == "one two three\nfour five six"
    with zipfile.ZipFile(io.BytesIO(ask(f"/all.zip?{chosen}").content)) as archive:
        assert archive.read("a.vtt").decode() == ask(f"/{entry}.vtt?{chosen}").text != ask(f"/{entry}.vtt").text
    for wrong in ("max_line_width=1", "max_line_count=x", "min_cue_ms=99999"):
        assert ask(f"/{entry}.srt?{wrong}").status_code == ask(f"/all.zip?{wrong}").status_code == 422


def test_the_zip_holds_all_that_is_done(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    transcribed(runner, queue, two_words, "a.wav", "a.wav")
    queue.add(two_words, "not yet.wav")
    answer = ask("/all.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert {name for name in archive.namelist() if name.endswith("json")} == {"a.json", "a-2.json"}
        assert json.loads(archive.read("a-2.json"))["segments"]


def test_the_sound_comes_in_ranges(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    whole = ask(f"/{entry}/audio")
    assert whole.headers["content-type"] == "audio/flac"
    part = ask(f"/{entry}/audio", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_actions_do_what_they_say(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    first, second = transcribed(runner, queue, two_words, "a.wav", "b.wav")
    assert ask("").json()["shown"]["id"] == first
    ask.post(f"/{second}/select")
    assert ask("").json()["shown"]["id"] == second
    third = queue.add(two_words, "c.wav")
    queue.submit(TranscribeOptions())  # it waits, and nothing was woken
    ask.post(f"/{third.id}/cancel")
    assert queue.find(third.id).state == "cancelled"
    ask.post(f"/{third.id}/retry")
    wait(queue)
    assert queue.find(third.id).state == "done"
    ask.post(f"/{third.id}/remove")
    assert [row["id"] for row in ask("").json()["rows"]] == [first, second]


def test_cancel_all_leaves_what_is_done(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    transcribed(runner, queue, two_words, "a.wav")
    queue.add(two_words, "b.wav")
    queue.submit(TranscribeOptions())
    assert ask.post("/cancel-all").status_code == 200
    assert [entry.state for entry in queue.entries()] == ["done", "cancelled"]


def test_another_pages_id_opens_nothing_of_ours(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    (entry,) = transcribed(runner, queue, two_words, "a.wav")
    for path in (f"/{entry}/result", f"/{entry}/segments", f"/{entry}/audio", f"/{entry}.txt", "/all.zip"):
        assert ask(path, queue=OTHERS).status_code == 404
        runner.open("c" * 32)
        if path != "/all.zip":
            assert ask(path, queue="c" * 32).status_code == 404
    assert ask.post(f"/{entry}/remove", queue=OTHERS).status_code == 404
    assert queue.find(entry) is not None


def test_what_has_no_transcript_yet_says_why(ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path) -> None:
    entry = queue.add(two_words, "a.wav")
    assert "Press “Transcribe”" in ask(f"/{entry.id}/result").text
    queue.submit(TranscribeOptions())
    assert "Waiting for its turn" in ask(f"/{entry.id}/result").text
    queue.begin()
    queue.report(entry.id, 0.42, "asr")
    assert "Running" in ask(f"/{entry.id}/result").text
    row = ask("").json()["rows"][0]["html"]
    assert 'value="42"' in row
    assert "Recognizing 42 %" in row
    queue.cancel(entry.id)
    assert "cancelled" in ask(f"/{entry.id}/result").text
    for path in (f"/{entry.id}/audio", f"/{entry.id}.txt"):
        assert ask(path).status_code == 404


def test_a_running_recording_shows_its_newest_segments(
    ask: QueueClient, runner: QueueRunner, queue: RecordingQueue, two_words: Path
) -> None:
    segment = FakeEngine().transcribe(load_audio(two_words)).segments[0]
    entry = queue.add(two_words, NASTY)
    queue.submit(TranscribeOptions())
    queue.begin()
    keys = set()
    for number in range(LATEST_SHOWN + 5):
        queue.add_segment(entry.id, replace(segment, text=f"words <b> {number}"))
        keys.add(ask("").json()["shown"]["revision"])
    assert len(keys) == LATEST_SHOWN + 5  # each one makes the page ask again
    html = ask(f"/{entry.id}/result").text
    assert html.count('<li class="lv-segment"') == LATEST_SHOWN
    assert f"Recognized so far: {LATEST_SHOWN + 5} segments" in html
    assert "words &lt;b&gt; 24" in html
    assert "words &lt;b&gt; 4<" not in html
    assert "<b>" not in html
    assert "目前已识别 25 段" in ask(f"/{entry.id}/result", language="zh").text
    queue.cancel(entry.id)
