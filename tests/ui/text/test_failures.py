"""What people are told when something fails, in their language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import errors
from engine.audio.sandbox.decoder import Decoder
from engine.errors import LightVoiceError
from ui.history.errors import (
    HistoryContentError,
    HistoryDamagedError,
    HistoryFullError,
    HistoryGoneError,
    HistoryLockedError,
    HistoryNewerError,
    HistoryUnavailableError,
)
from ui.http.access.managing import NotAllowedError
from ui.models.sent_files import SameNameError
from ui.models.state import BundleOpenError, JobRunningError
from ui.scheduling.run_slots import LineFullError, StoppingError
from ui.text.failures import failure_of, title_of
from ui.text.texts import Texts, read_locale

ENGLISH, CHINESE = Texts("en"), Texts("zh")
WITH_REASON = [
    errors.AudioDecodeError(path="/uploads/a.bin", reason="no header"),
    errors.UnknownTrackError(path="/uploads/a.mkv", track=3, count=2),
    errors.OnlyWavError(path="/uploads/a.mp3"),
    errors.EmptyAudioError(path="/uploads/a.wav"),
    errors.NonFiniteAudioError(path="/uploads/a.wav", count=3),
    errors.SampleRateError(path="/uploads/a.wav", sample_rate=20, lowest=1000, highest=768_000),
    errors.AudioTooLongError(path="/uploads/a.wav", duration_s=7200.4, limit_s=3600),
    errors.UnknownChannelError(channel="middle", known=("auto", "mix")),
    errors.UnknownLanguageError(language="zn", known=["auto", "zh"]),
    errors.UnknownPrecisionError(precision="fp8", known={"fp32": 1, "int8": 2}),
    errors.FullPrecisionMissingError(precision="fp32", known=["int8"]),
    errors.UnknownFormatError(output_format="doc", known=("txt", "srt")),
    errors.OptionChoiceError(name="itn", value="perhaps", known=("true", "false")),
    errors.OptionRangeError(name="max_segment_ms", value=-1, lowest=1000, highest=30_000),
    errors.TooManyHotwordsError(count=100_000, most=10_000),
    errors.HotwordWeightError(phrase="Ada", weight=20.0, lowest=0.0, highest=10.0),
    errors.HotwordTooLongError(line=2, length=400, most=100),
    errors.HotwordControlCharacterError(line=2, code="U+0007"),
    errors.HotwordsFileError(path="names.txt", reason="it is empty"),
    errors.TooManyStreamsError(running=8),
    errors.BundleTamperedError(path="asr.int8.onnx", expected="9 bytes", got="8 bytes"),
    errors.ProviderUnavailableError(device="cuda", reason="there is none"),
    errors.NotQuantizedError(path="asr.int8.onnx", integer=0, floating=80),
    HistoryLockedError(),
    HistoryFullError(),
    HistoryDamagedError(aside="history.sqlite.damaged-20261128T130000000000"),
    HistoryNewerError(version=9, known=2),
    HistoryUnavailableError(path=Path("/uploads/history"), reason="Permission denied"),
    HistoryContentError(name="talk.wav"),
    HistoryGoneError(),
    LineFullError(waiting=64, wait_s=40),
    StoppingError(),
    errors.StorageFullError(reason="its disk is full"),
    errors.DecoderUnavailableError(reason="no processes left"),
    errors.UnknownBundleError(bundle="x", known=["starter"]),
    NotAllowedError(),
    JobRunningError(),
    BundleOpenError(name="starter"),
    SameNameError(name="model.onnx"),
]


@pytest.mark.parametrize("error", WITH_REASON, ids=lambda error: type(error).__name__)
def test_the_reason_is_the_engines_own_in_english_and_the_same_in_chinese(error: LightVoiceError) -> None:
    failure = failure_of(error)
    assert failure.words(ENGLISH) == (title_of(type(error), ENGLISH), str(error))
    title, reason = failure.words(CHINESE)
    assert any("\u4e00" <= letter <= "\u9fff" for letter in reason), reason
    assert title == title_of(type(error), CHINESE)
    assert "/uploads" not in reason


def test_every_reason_that_is_written_is_tried_here() -> None:
    assert {key.removeprefix("reason.") for key in read_locale("en") if key.startswith("reason.")} == {
        type(error).__name__ for error in WITH_REASON
    }


def test_an_error_without_words_of_its_own_keeps_the_engines() -> None:
    error = errors.RayMissingError(missing="ray")
    assert failure_of(error).words(CHINESE) == (title_of(type(error), CHINESE), str(error))


@pytest.mark.parametrize(
    "error",
    [
        errors.AudioDecodeError(path="/uploads/a.bin", reason="Invalid data found when processing input"),
        errors.DecoderCrashedError(path="/uploads/a.bin", how="by signal 11"),
        errors.DecoderLimitError(path="/uploads/a.bin", limit="more than 600 s"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_library_says_in_english_stands_in_no_chinese_sentence(error: LightVoiceError) -> None:
    _, reason = failure_of(error).words(CHINESE)
    assert re.findall(r"[A-Za-z]{4,}", reason.replace("a.bin", "").replace("FLAC", "")) == [], reason
    assert "日志" in reason
    assert failure_of(error).words(ENGLISH)[1] == str(error)


def test_a_missing_file_is_reported_without_its_path() -> None:
    for texts in (ENGLISH, CHINESE):
        assert "/uploads" not in "".join(failure_of(errors.AudioNotFoundError(path="/uploads/a.wav")).words(texts))


def test_the_unexpected_is_a_number_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    failure = failure_of(RuntimeError("secret path"))
    _, reason = failure.words(ENGLISH)
    assert failure.message in reason and "secret" not in reason
    assert failure.message in caplog.text and "secret path" in caplog.text


def test_a_refusal_of_the_decode_worker_is_said_in_the_page_s_language(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no audio")
    decoder = Decoder()
    with pytest.raises(errors.AudioDecodeError) as caught:
        decoder.load(tmp_path / "notes.txt")
    decoder.close()
    assert failure_of(caught.value).words(ENGLISH)[1] == str(caught.value)
    assert "notes.txt" in failure_of(caught.value).words(CHINESE)[1]
    assert "文件已损坏，或不是录音" in failure_of(caught.value).words(CHINESE)[1]
    assert "转换" in failure_of(caught.value).words(CHINESE)[1]


def test_a_reason_without_what_it_was_made_of_keeps_the_engines_words() -> None:
    bare = errors.AudioDecodeError.__new__(errors.AudioDecodeError, "cannot read it")
    assert failure_of(bare).words(CHINESE)[1] == "cannot read it"
