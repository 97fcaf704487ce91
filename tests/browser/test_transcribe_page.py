"""The Transcribe tab in real Chromium: every container, many files, cancelling, playing, editing, exporting, remembering."""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from tests.browser.steps import downloaded, drop, record, refreshed, rows_in, run, transcribed, unfold, words_come
from tests.subtitles import read_srt, read_vtt

expect = pytest.importorskip("playwright.sync_api").expect

#: container -> (encoder, sample rate, sample format)
CONTAINERS = {
    "wav": ("pcm_s16le", 16_000, "s16"),
    "mp3": ("libmp3lame", 16_000, "s16p"),
    "m4a": ("aac", 16_000, "fltp"),
    "mp4": ("aac", 16_000, "fltp"),
    "flac": ("flac", 16_000, "s16"),
    "ogg": ("libopus", 48_000, "flt"),
    "webm": ("libopus", 48_000, "flt"),
}


def written(path: Path, sound: Path) -> Path:
    """The sound in the container that the path's ending names; films get a picture too."""
    av = pytest.importorskip("av")
    encoder, rate, sample_format = CONTAINERS[path.suffix[1:]]
    with av.open(str(path), "w") as target, av.open(str(sound)) as source:
        picture = None
        if path.suffix == ".mp4":
            picture = target.add_stream("mpeg4", rate=5)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
        voice = target.add_stream(encoder, rate=rate)
        voice.layout = "mono"
        converter = av.AudioResampler(format=sample_format, layout="mono", rate=rate)
        for _ in range(10 if picture else 0):
            target.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        if picture:
            target.mux(picture.encode())
        for frame in [*source.decode(audio=0), None]:
            for converted in converter.resample(frame):
                target.mux(voice.encode(converted))
        target.mux(voice.encode())
    return path


@pytest.fixture(scope="session")
def long_wav(spoken_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits for ten minutes: long enough to be cancelled."""
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.tile(load_audio(spoken_digits).samples, 100), 16_000)
    return path


def test_every_container_is_read_and_each_file_has_its_row(open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path) -> None:
    page = open_page()
    files = [written(tmp_path / f"talk.{container}", spoken_digits) for container in CONTAINERS]
    transcribed(page, *files)
    for row, file in zip(page.locator(".lv-row").all(), files, strict=True):
        expect(row.locator(".lv-row-name")).to_have_text(file.name)
        expect(row.locator(".lv-row-length")).to_have_text(re.compile(r"0:06\.\d"))
        row.locator(".lv-row-name").click()
        expect(page.locator(".lv-result-name")).to_have_text(file.name)
        expect(page.locator("#lv-transcript .lv-segment")).to_have_count(2)
        words_come(page)
    expect(page.locator(".lv-queue-progress")).to_have_text("7 of 7 done")


def test_a_hundred_files_scroll_and_one_zip_takes_them_all(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page()
    tone = np.zeros(4_000, np.float32)
    files = []
    for number in range(100):
        files.append(tmp_path / f"clip {number}.wav")
        soundfile.write(files[-1], tone, 16_000)
    transcribed(page, *files)
    rows = page.locator("#lv-queue-rows")
    assert rows.evaluate("(list) => list.scrollHeight > list.clientHeight && list.clientHeight <= 340")
    name, content = downloaded(page, "zip")
    assert name == "transcripts.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert len(archive.namelist()) == 600
        assert json.loads(archive.read("clip 99.json"))["segments"] == []


def test_the_same_file_twice_is_two_rows_and_a_bad_one_stops_none(
    open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path
) -> None:
    page = open_page()
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio at all")
    drop(page, spoken_digits, bad)
    drop(page, spoken_digits)
    run(page)
    expect(rows_in(page, "done")).to_have_count(2)
    expect(rows_in(page, "failed")).to_have_count(1)
    expect(rows_in(page, "failed")).to_contain_text("convert it to WAV")
    with zipfile.ZipFile(io.BytesIO(downloaded(page, "zip")[1])) as archive:
        assert {"digits-en.srt", "digits-en-2.srt"} <= set(archive.namelist())


def test_files_dropped_while_others_are_on_their_way_are_all_there(
    open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path
) -> None:
    page = open_page()

    # A slow line: what the page asks of the server is asked later.
    page.evaluate("""() => {
        const fetched = window.fetch, later = /gradio_api\\/(upload\\?|queue\\/join)/;
        window.uploaded = 0;
        window.fetch = async (address, options) => {
            const slow = later.test(String(address));
            if (slow) await new Promise((resolve) => setTimeout(resolve, 700));
            const answer = await fetched(address, options);
            if (String(address).includes("/upload?")) window.uploaded += 1;
            return answer;
        };
    }""")
    for number in range(3):
        file = tmp_path / f"talk-{number}.flac"
        shutil.copyfile(spoken_digits, file)
        page.locator("#lv-transcribe-audio input[type=file]").set_input_files(str(file))
        # Uploaded, but the server has not been told what to do with it; and there is a place for the next one, that stays.
        page.wait_for_function(
            """(number) => {
                const field = document.querySelector("#lv-transcribe-audio input[type=file]"), now = performance.now();
                if (window.uploaded <= number || !field || field !== window.place) [window.place, window.since] = [field, now];
                return window.uploaded > number && field && now - window.since > 300;
            }""",
            arg=number,
        )
    expect(page.locator(".lv-row")).to_have_count(3)
    run(page)  # asked for after all of them
    expect(rows_in(page, "done")).to_have_count(3)
    names = page.locator(".lv-row-name").all_inner_texts()
    assert sorted(names) == [f"talk-{number}.flac" for number in range(3)]


def test_cancelling_one_and_all_keeps_what_is_done(open_page: Callable[..., Any], spoken_digits: Path, long_wav: Path) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    words = page.locator("#lv-transcript .lv-text").all_inner_texts()
    drop(page, long_wav, long_wav, long_wav)
    run(page)
    running = rows_in(page, "running")
    expect(running.locator("progress").first).to_be_visible()  # several run side by side
    page.locator(".lv-row").nth(2).get_by_role("button", name="Cancel long.wav").click()
    expect(rows_in(page, "cancelled")).to_have_count(1)
    page.locator("#lv-cancel-all").click()
    expect(rows_in(page, "cancelled")).to_have_count(3)
    expect(page.locator("#lv-cancel-all")).to_have_count(0)
    page.locator(".lv-row-name").first.click()
    expect(page.locator("#lv-transcript .lv-text").first).to_have_text(words[0])
    # The engine is free: the next one runs, and so does what was cancelled, if it is wanted after all.
    run(page)
    page.get_by_role("button", name="Run long.wav again").first.click()
    expect(rows_in(page, "running").or_(rows_in(page, "waiting"))).not_to_have_count(0)
    page.locator("#lv-cancel-all").click()


def test_a_reload_finds_everything_again_and_the_run_goes_on(open_page: Callable[..., Any], spoken_digits: Path, long_wav: Path) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    drop(page, long_wav)
    run(page)
    expect(rows_in(page, "running")).to_have_count(1)
    page.reload()
    expect(page.locator(".lv-row")).to_have_count(2)
    expect(rows_in(page, "running").or_(rows_in(page, "done").nth(1))).to_have_count(1)
    page.locator(".lv-row-name").first.click()
    words_come(page)
    page.evaluate("document.getElementById('lv-cancel-all')?.click()")  # unless the run has ended


def test_a_lost_connection_is_said_and_found_again(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    page.route("**/recordings/**", lambda route: route.abort())
    page.locator("#lv-transcribe-example-digits-en").click()
    expect(page.locator("#lv-queue-lost")).to_be_visible()
    page.unroute("**/recordings/**")
    expect(page.locator("#lv-queue-lost")).to_be_hidden()
    expect(page.locator(".lv-row")).to_have_count(1)


def test_the_microphones_recordings_get_names_and_rows(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for number in (1, 2):
        record(page, 3)
        expect(page.locator(".lv-row")).to_have_count(number)
        expect(page.locator(".lv-row-name").last).to_have_text(re.compile(rf"Recording {number}\.\w+"))
    expect(rows_in(page, "done")).to_have_count(2)
    words_come(page)


@pytest.mark.parametrize("how", ["click", "Enter", "Space"])
def test_a_segment_plays_from_its_start_and_is_lit(open_page: Callable[..., Any], spoken_digits: Path, how: str) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    second = page.locator("#lv-transcript .lv-segment").nth(1)
    start_s = int(second.get_attribute("data-start")) / 1000
    if how == "click":
        second.locator(".lv-text").click(position={"x": 2, "y": 8})
    else:
        second.locator(".lv-play").press(how)
    expect(second).to_have_class(re.compile("lv-playing"))
    expect(page.locator("#lv-transcript .lv-segment").first).not_to_have_class(re.compile("lv-playing"))
    heard_s = "document.getElementById('lv-player').currentTime"
    at_s = page.wait_for_function(f"(from) => {heard_s} > from + 0.05 && {heard_s}", arg=start_s).json_value()
    assert at_s < start_s + 5
    assert page.evaluate("!document.getElementById('lv-player').error")


def test_edited_words_are_what_is_exported_and_survive_everything(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    first = page.locator("#lv-transcript .lv-segment").first
    recognized = first.locator(".lv-text").inner_text()
    first.get_by_role("button", name="Edit the text of segment 1").click()
    field = page.get_by_role("textbox", name=re.compile("Text of segment 1"))
    expect(field).to_have_value(recognized)
    field.fill("My <b>words</b> & more")
    field.press("Enter")
    expect(first.locator(".lv-text")).to_have_text("My <b>words</b> & more")
    expect(first.locator(".lv-edited")).to_have_text("edited")
    expect(page.locator("#lv-segments tbody tr").first).to_contain_text("My <b>words</b> & more")
    second_words = page.locator("#lv-transcript .lv-text").nth(1).inner_text()
    expected = ["My <b>words</b> & more", second_words]
    assert downloaded(page, "txt") == ("digits-en.txt", "".join(f"{line}\n" for line in expected).encode())
    assert [cue.text for cue in read_srt(downloaded(page, "srt")[1].decode())] == expected
    assert [cue.text for cue in read_vtt(downloaded(page, "vtt")[1].decode())] == expected
    assert [segment["text"] for segment in json.loads(downloaded(page, "json")[1])["segments"]] == expected
    page.locator("#lv-ban input").click()
    run(page)  # once more with another option: a second row, and the first one keeps its words
    expect(rows_in(page, "done")).to_have_count(2)
    page.reload()
    page.locator(".lv-row-name").first.click()
    expect(page.locator("#lv-transcript .lv-text").first).to_have_text("My <b>words</b> & more")
    page.get_by_role("button", name="Put the recognized text of segment 1 back").click()
    expect(page.locator("#lv-transcript .lv-text").first).to_have_text(recognized)
    expect(page.locator(".lv-edited")).to_have_count(0)


def test_escape_leaves_the_words_and_a_download_waits_for_an_edit(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    first = page.locator("#lv-transcript .lv-segment").first
    recognized = first.locator(".lv-text").inner_text()
    first.locator('[data-action="edit"]').click()
    page.locator("textarea.lv-text-field").fill("never mind")
    page.keyboard.press("Escape")
    expect(first.locator(".lv-text")).to_have_text(recognized)
    edits: list[Any] = []
    downloads: list[Any] = []

    def hold(route: Any) -> None:
        edits.append(route)

    def note(download: Any) -> None:
        downloads.append(download)

    page.route("**/edits?*", hold)
    page.on("download", note)
    first.locator('[data-action="edit"]').click()
    page.locator("textarea.lv-text-field").fill("in the last moment")
    with page.expect_download() as download:
        with page.expect_request("**/edits?*"):
            page.locator("#lv-download-txt").click()
        refreshed(page, rounds=1)
        assert downloads == []
        edits[0].continue_()
    assert Path(download.value.path()).read_text(encoding="utf-8").startswith("in the last moment\n")


def test_the_text_can_be_copied(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    transcribed(page, spoken_digits)
    page.locator("#lv-copy").click()
    expect(page.locator("#lv-copied")).to_have_text("Copied")
    words = page.locator("#lv-transcript .lv-text").all_inner_texts()
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(words)


def test_unsure_words_are_marked_below_the_chosen_confidence(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    transcribed(page, spoken_digits)
    words, marked = page.locator(".lv-word"), page.locator(".lv-word.lv-unsure")
    assert words.count() > 0
    number = page.locator("#lv-unsure input[type=number]")
    for percent, count in (("100", words.count()), ("0", 0)):
        number.fill(percent)
        number.press("Enter")
        sure = page.locator('.lv-word[data-confidence="1.000"]').count() if percent == "100" else 0
        expect(marked).to_have_count(count - sure)


def test_vad_off_gives_one_segment_and_the_options_survive_a_reload(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    unfold(page, "#lv-advanced")
    page.locator("#lv-vad input").click()
    page.get_by_role("option", name="Off").click()
    page.locator("#lv-transcribe-itn input").click()
    page.locator("#lv-ban input").click()
    silence = page.locator("#lv-end-silence input[type=number]")
    silence.fill("500")
    silence.press("Enter")
    transcribed(page, spoken_digits)
    expect(page.locator("#lv-transcript .lv-segment")).to_have_count(1)
    page.reload()
    page.locator("#lv-light-status .lv-light-status").wait_for()
    expect(page.locator("#lv-ban input")).to_be_checked()
    expect(page.locator("#lv-transcribe-itn input")).not_to_be_checked()
    unfold(page, "#lv-advanced")
    expect(page.locator("#lv-vad input")).to_have_value("Off")
    expect(page.locator("#lv-end-silence input[type=number]")).to_have_value("500")


def test_subtitles_are_cut_as_chosen_without_another_run_and_the_choice_survives_a_reload(
    open_page: Callable[..., Any], spoken_digits: Path
) -> None:
    page = open_page()
    page.locator("#lv-transcribe-itn input").click()  # words are longer than digits
    transcribed(page, spoken_digits)
    before = read_srt(downloaded(page, "srt")[1].decode())
    unfold(page, "#lv-subtitles")
    for option, value in (("line-width", "16"), ("line-count", "1")):
        number = page.locator(f"#lv-{option} input[type=number]")
        number.fill(value)
        number.press("Enter")
    page.wait_for_function("window.lightvoiceQueue.asChosen('').includes('max_line_width=16&max_line_count=1')")
    for _ in range(2):
        for read, name in ((read_srt, "srt"), (read_vtt, "vtt")):
            cues = read(downloaded(page, name)[1].decode())
            assert len(cues) > len(before)
            assert all(len(cue.text) <= 16 and "\n" not in cue.text for cue in cues)
        page.reload()
        page.wait_for_function("window.lightvoiceQueue?.asChosen('').includes('max_line_width=16&max_line_count=1')")
        page.locator("#lv-download-srt").wait_for()


def test_every_option_is_explained_in_both_languages(open_page: Callable[..., Any]) -> None:
    for locale, words in (("en-US", "starts a new segment"), ("zh-CN", "停顿达到此时长")):
        page = open_page(locale=locale)
        unfold(page, "#lv-advanced")
        expect(page.locator("#lv-end-silence")).to_contain_text(words)
        for option in ("lv-transcribe-language", "lv-transcribe-itn", "lv-ban", "lv-unsure", "lv-vad", "lv-threshold", "lv-max-segment"):
            assert len(page.locator(f"#{option}").inner_text().strip().splitlines()) >= 2, option


def test_a_row_keeps_the_focus_while_its_progress_is_drawn(open_page: Callable[..., Any], long_wav: Path) -> None:
    page = open_page()
    drop(page, long_wav)
    run(page)
    cancel = rows_in(page, "running").get_by_role("button", name="Cancel long.wav")
    cancel.focus()
    before = page.locator(".lv-row-state").inner_text()
    expect(page.locator(".lv-row-state")).not_to_have_text(before)
    assert page.evaluate("document.activeElement.dataset.action") == "cancel"
    page.keyboard.press("Enter")
    expect(rows_in(page, "cancelled")).to_have_count(1)


@pytest.mark.parametrize(("locale", "said"), [("en-US", "ends early"), ("zh-CN", "录音提前结束")])
def test_what_could_not_be_read_is_a_note_in_the_persons_language(
    open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path, locale: str, said: str
) -> None:
    samples, rate = soundfile.read(spoken_digits)
    soundfile.write(tmp_path / "cut.wav", np.concatenate([samples, samples]), rate, subtype="PCM_16")
    content = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) // 2 + 44])
    page = open_page(locale=locale)
    drop(page, tmp_path / "cut.wav")
    run(page)
    expect(page.locator(".lv-reading-notes")).to_contain_text(said)
