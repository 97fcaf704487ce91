"""How far a command is: read by people in words, by programs as JSON lines."""

from __future__ import annotations

import contextlib
import io
import threading

import pytest

from models.jobs import progress as progress_module
from models.jobs.failure_kind import FailureKind
from models.jobs.progress import (
    Check,
    Progress,
    ProgressWriter,
    parse_check,
    parse_failure,
    parse_progress,
    parse_result,
    report,
    report_check,
    report_failure,
    report_result,
)


class Clock:
    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def for_programs(monkeypatch):
    monkeypatch.setenv("LIGHTVOICE_PROGRESS", "json")
    progress_module._writer.cache_clear()
    yield
    progress_module._writer.cache_clear()


@pytest.fixture
def for_people(monkeypatch):
    monkeypatch.delenv("LIGHTVOICE_PROGRESS", raising=False)


def test_a_step_is_one_line_that_can_be_read_back(for_programs, capsys):
    report(0.41, "model.pt\n412 / 936 MB 下载", eta_s=65)
    report(None, "unpacking")
    shown = capsys.readouterr()
    assert shown.out == ""
    first = shown.err.splitlines()[0]
    assert first == '@progress {"text":"model.pt 412 / 936 MB 下载","fraction":0.41,"eta_s":65}'
    assert parse_progress(first) == Progress(text="model.pt 412 / 936 MB 下载", fraction=0.41, eta_s=65)


def test_a_share_outside_its_range_is_brought_back(for_programs, capsys):
    report(1.0000001, "done")
    assert parse_progress(capsys.readouterr().err) == Progress(text="done", fraction=1.0)


def test_what_comes_after_a_download_is_told_at_once(for_programs, capsys):
    report(1.0, "242 / 242 MB")
    report(None, "making the bundle")
    assert [parse_progress(line).text for line in capsys.readouterr().err.splitlines()] == ["242 / 242 MB", "making the bundle"]


def test_a_check_and_a_failure_are_for_programs_alone(for_programs, capsys, monkeypatch):
    report_check(Check(passed=5, tested=6))
    report_failure(FailureKind.DISK)
    check, failure = capsys.readouterr().err.splitlines()
    assert parse_check(check) == Check(passed=5, tested=6) and parse_failure(failure) is FailureKind.DISK
    assert parse_check(failure) is None and parse_failure(check) is None
    assert parse_failure('@failure {"kind": "magic"}') is None and parse_check('@check {"passed": 1, "tested": 0}') is None
    monkeypatch.delenv("LIGHTVOICE_PROGRESS")
    report_check(Check(passed=5, tested=6))
    report_failure(FailureKind.DISK)
    assert capsys.readouterr().err == ""


def test_the_place_of_a_result_is_for_programs_alone(for_programs, capsys, monkeypatch, tmp_path):
    report_result(tmp_path / "bundle 一")
    assert parse_result(capsys.readouterr().err.rstrip("\n")) == tmp_path / "bundle 一"
    monkeypatch.delenv("LIGHTVOICE_PROGRESS")
    report_result(tmp_path)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "@progress",
        "@progress {",
        "@progress []",
        '@progress {"fraction": 0.5}',
        '@progress {"fraction": 1.5, "text": "x"}',
        '@progress {"fraction": "half", "text": "x"}',
        '@progress {"fraction": true, "text": "x"}',
        '@progress {"eta_s": -1, "text": "x"}',
        '@progress {"eta_s": NaN, "text": "x"}',
        ' @progress {"fraction": 0.5, "text": "x"}',
        "@progress " + "[" * 100_000,
    ],
)
def test_a_line_that_is_no_step_is_none(line):
    assert parse_progress(line) is None


def written(steps, *, pause_s: float, stream: io.StringIO | None = None) -> str:
    clock = Clock()
    writer = ProgressWriter(clock=clock)
    stream = stream or io.StringIO()
    with contextlib.redirect_stderr(stream):
        for step in steps:
            writer.write(step)
            clock.now_s += pause_s
    return stream.getvalue()


def shares(count: int) -> list[Progress]:
    return [Progress(text="model.pt", fraction=index / count) for index in range(count + 1)]


def test_a_log_gets_a_line_every_five_seconds_and_the_last(for_people):
    shown = written(shares(21), pause_s=1.0)
    assert shown.splitlines() == [f"model.pt {share} %" for share in (0, 24, 48, 71, 95, 100)]


def test_a_terminal_gets_two_steps_a_second_on_one_line(for_people):
    shown = written(shares(10), pause_s=0.25, stream=Terminal())
    assert shown.count("model.pt") == 6 and shown.count("\n") == 1 and shown.endswith("100 %\n")


def test_time_left_is_said_in_minutes(for_people):
    assert str(Progress(text="model.pt", fraction=0.5, eta_s=65)) == "model.pt 50 %, 1 min 05 s left"
    assert str(Progress(text="opening")) == "opening"


def test_a_step_for_every_block_does_not_flood_a_program(for_programs):
    lines = written(shares(100_000), pause_s=0.00001).splitlines()
    assert 100 <= len(lines) <= 130
    assert parse_progress(lines[-1]).fraction == 1.0


def test_stages_that_follow_each_other_fast_are_all_told_to_a_program(for_programs):
    shown = written([Progress(text=f"stage {index}", fraction=index / 4) for index in range(4)], pause_s=0.0)
    assert [parse_progress(line).text for line in shown.splitlines()] == [f"stage {index}" for index in range(4)]


def test_the_last_step_is_written_once(for_people):
    done = Progress(text="done", fraction=1.0)
    assert written([done, done, done], pause_s=10.0) == "done 100 %\n"


def test_steps_come_from_many_threads_whole(for_programs, capfd):
    threads = [threading.Thread(target=lambda: [report(index / 50, "x") for index in range(51)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = capfd.readouterr().err.splitlines()
    assert lines and all(parse_progress(line) is not None for line in lines)
