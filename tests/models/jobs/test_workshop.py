"""Commands in processes of their own: one at a time, with progress, log and an end that always comes."""

from __future__ import annotations

import contextlib
import io
import math
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from models.jobs import progress as progress_module
from models.jobs.commands import WorkshopArgumentError, WorkshopCommand
from models.jobs.progress import Progress, ProgressWriter, parse_progress, parse_result, report, report_result
from models.jobs.workshop import LINE_CHARACTERS, LOG_LINES, JobState, Workshop, WorkshopClosedError
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 30
GRACE_S = 0.5
#: Stands in for `python -m models`: its first argument chooses what it does.
STAND_IN = """
import os, signal, subprocess, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from models.jobs.progress import report, report_result
from tests.waiting import until
what, *rest = sys.argv[1:]
if what == "arguments":
    print("\\n".join(rest))
elif what == "steps":
    report(0.25, "a quarter", eta_s=30)
    print("between")
    report(1.0, "done")
    report_result(Path("made/here"))
elif what == "fail":
    print("fetching")
    print("no such bundle: x; choose another", file=sys.stderr)
    sys.exit(3)
elif what == "crash":
    print("before")
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "noise":
    for number in range(int(rest[0])):
        print(number)
    print("x" * 10000)
    sys.stdout.buffer.write(b"\\xff\\xfe\\n")
elif what == "sleep":
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    print(os.getpid(), child.pid, flush=True)
    signal.pause()
elif what == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), flush=True)
    signal.pause()
elif what == "polite":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("ready", flush=True)
    signal.pause()
elif what == "turn":
    diary, go_on = map(Path, rest)
    diary.open("a").write("begin ")
    until(go_on.exists)
    diary.open("a").write("end ")
"""


@pytest.fixture
def workshop(tmp_path):
    script = tmp_path / "stand in.py"
    script.write_text(STAND_IN)
    with Workshop(prefix=[sys.executable, str(script)], grace_s=GRACE_S) as workshop:
        yield workshop


def command(*arguments: str) -> WorkshopCommand:
    return WorkshopCommand(arguments=arguments)


def wait_for_line(job) -> str:
    until(lambda: job.log or job.state.over)
    assert job.log, job.state
    return job.log[0]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def gone(*pids: int) -> bool:
    """Wait until none of the processes runs."""
    return until(lambda: all(is_gone(pid) for pid in pids))


# ---- a job -----------------------------------------------------------------------------------------------------------


def test_progress_log_and_result_of_a_command_are_told_apart(workshop):
    job = workshop.start(command("steps"))
    assert job.wait(LIMIT_S)
    assert (job.state, job.exit_code, job.error) == (JobState.DONE, 0, None)
    assert job.progress == Progress(text="done", fraction=1.0)
    assert job.log == ("between",)
    assert job.result == ROOT / "made" / "here"


def test_the_result_of_a_command_that_says_none_is_the_one_it_was_asked_for(workshop, tmp_path):
    job = workshop.start(WorkshopCommand(arguments=("arguments",), result=tmp_path))
    assert job.wait(LIMIT_S) and job.result == tmp_path


def test_arguments_arrive_unchanged_and_no_shell_reads_them(workshop):
    values = ("a b", "$(touch x)", "; ls", "*", "录音")
    job = workshop.start(command("arguments", *values))
    assert job.wait(LIMIT_S)
    assert job.log == values


def test_a_command_that_fails_leaves_its_last_line_as_the_reason(workshop, tmp_path):
    job = workshop.start(WorkshopCommand(arguments=("fail",), result=tmp_path))
    assert job.wait(LIMIT_S)
    assert (job.state, job.exit_code) == (JobState.FAILED, 3)
    assert job.error == "no such bundle: x; choose another"
    assert job.result is None


def test_a_command_that_crashes_names_the_signal(workshop):
    job = workshop.start(command("crash"))
    assert job.wait(LIMIT_S)
    assert job.state is JobState.FAILED
    assert "signal 9" in job.error and "before" in job.error


def test_a_program_that_is_not_there_is_a_failed_job():
    with Workshop(prefix=["/nowhere/python"]) as workshop:
        job = workshop.start(command("x"))
        assert job.wait(LIMIT_S)
        assert job.state is JobState.FAILED
        assert "/nowhere/python" in job.error


def test_the_log_keeps_the_last_lines_and_none_is_endless(workshop):
    job = workshop.start(command("noise", str(LOG_LINES + 200)))
    assert job.wait(LIMIT_S) and job.state is JobState.DONE
    assert len(job.log) == LOG_LINES
    assert str(LOG_LINES + 199) in job.log and "0" not in job.log
    assert max(len(line) for line in job.log) == LINE_CHARACTERS
    assert job.log[-1] == "\ufffd\ufffd"


# ---- one at a time ---------------------------------------------------------------------------------------------------


def test_commands_run_one_after_the_other_in_the_order_they_were_asked_for(workshop, tmp_path):
    diary, go_on = tmp_path / "diary", tmp_path / "go on"
    jobs = [workshop.start(command("turn", str(diary), str(go_on))) for _ in range(3)]
    until(diary.exists)
    assert [job.state for job in jobs] == [JobState.RUNNING, JobState.QUEUED, JobState.QUEUED]
    go_on.touch()
    assert jobs[2].wait(LIMIT_S)
    assert [job.state for job in jobs] == [JobState.DONE] * 3
    assert diary.read_text() == "begin end " * 3
    assert workshop.jobs == tuple(jobs)


def test_a_failure_does_not_hold_up_the_next(workshop):
    workshop.start(command("fail"))
    job = workshop.start(command("arguments", "next"))
    assert job.wait(LIMIT_S) and job.log == ("next",)


# ---- cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_ends_the_command_and_what_it_started(workshop):
    job = workshop.start(command("sleep"))
    pids = [int(word) for word in wait_for_line(job).split()]
    job.cancel()
    assert job.wait(LIMIT_S)
    assert (job.state, job.result) == (JobState.CANCELLED, None)
    assert gone(*pids) and len(pids) == 2


def test_a_command_that_will_not_end_is_killed_after_the_grace_period(workshop):
    job = workshop.start(command("stubborn"))
    pid = int(wait_for_line(job))
    started = time.monotonic()
    job.cancel()
    job.cancel()  # a second click changes nothing
    assert job.wait(LIMIT_S)
    assert time.monotonic() - started >= GRACE_S
    assert job.state is JobState.CANCELLED and job.exit_code == -9 and gone(pid)


def test_a_command_that_finished_all_the_same_is_done(workshop):
    job = workshop.start(command("polite"))
    wait_for_line(job)
    job.cancel()
    assert job.wait(LIMIT_S) and job.state is JobState.DONE


def test_a_queued_command_that_is_cancelled_never_runs(workshop, tmp_path):
    first = workshop.start(command("sleep"))
    wait_for_line(first)
    second = workshop.start(command("turn", str(tmp_path / "diary"), str(tmp_path / "go on")))
    third = workshop.start(command("arguments", "third"))
    second.cancel()
    assert second.state is JobState.CANCELLED
    first.cancel()
    assert third.wait(LIMIT_S) and third.state is JobState.DONE
    assert not (tmp_path / "diary").exists()
    second.cancel()
    assert second.state is JobState.CANCELLED and second.exit_code is None


def test_cancel_after_the_end_changes_nothing(workshop):
    job = workshop.start(command("arguments"))
    assert job.wait(LIMIT_S)
    job.cancel()
    assert job.state is JobState.DONE


def test_close_ends_everything_and_leaves_no_thread(tmp_path):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    before = threading.active_count()
    workshop = Workshop(prefix=[sys.executable, str(script)], grace_s=GRACE_S)
    running, queued = workshop.start(command("sleep")), workshop.start(command("sleep"))
    pids = [int(word) for word in wait_for_line(running).split()]
    workshop.close()
    assert (running.state, queued.state) == (JobState.CANCELLED, JobState.CANCELLED)
    assert gone(*pids)
    assert threading.active_count() == before
    with pytest.raises(WorkshopClosedError, match="closed"):
        workshop.start(command("arguments"))


# ---- what may be asked for -------------------------------------------------------------------------------------------


def test_commands_are_those_of_the_command_line():
    folder = Path.cwd()
    assert WorkshopCommand.fetch("sensevoice-small", source="huggingface").arguments == (
        "fetch",
        "sensevoice-small",
        "--source",
        "huggingface",
    )
    assert WorkshopCommand.fetch("x", output="/b").arguments == ("fetch", "x", "--output", "/b")
    assert WorkshopCommand.quantize("b", recipe="mixed").arguments == ("quantize", str(folder / "b"), "--recipe", "mixed")
    quantize = WorkshopCommand.quantize("/b", recipe="auto", clips=4.0, max_trials=3, as_default=True, output="/copy")
    options = ("--clips", "4", "--max-trials", "3", "--as-default", "--output", "/copy")
    assert quantize.arguments == ("quantize", "/b", "--recipe", "auto", *options)
    assert quantize.result == Path("/copy")
    assert WorkshopCommand.prune("/b", output="/copy").arguments == ("prune", "/b", "--amount", "0.1", "--output", "/copy")
    assert WorkshopCommand.import_folder("/f", "/b", name="mine").arguments == ("import", "/f", "--output", "/b", "--name", "mine")
    assert WorkshopCommand.prune("/b", amount=0.1, then_quantize=True).arguments == ("prune", "/b", "--amount", "0.1", "--then-quantize")


@pytest.mark.parametrize(
    "build",
    [
        lambda: WorkshopCommand.fetch("--output"),
        lambda: WorkshopCommand.fetch("x", output="-rf"),
        lambda: WorkshopCommand.fetch("x", source="ftp"),
        lambda: WorkshopCommand.fetch(""),
        lambda: WorkshopCommand.fetch("a\nb"),
        lambda: WorkshopCommand.quantize("/b", recipe="--help"),
        lambda: WorkshopCommand.quantize("/b", clips=0),
        lambda: WorkshopCommand.quantize("/b", clips=1.5),
        lambda: WorkshopCommand.quantize("/b", max_trials=True),
        lambda: WorkshopCommand.quantize("/b", max_trials=math.inf),
        lambda: WorkshopCommand.quantize("/b", output="-o"),
        lambda: WorkshopCommand.import_folder("-f", "/b"),
        lambda: WorkshopCommand.import_folder("/c\0", "/b"),
        lambda: WorkshopCommand.import_folder("/f", "/b", name="--name"),
        lambda: WorkshopCommand.prune("/b", amount=0),
        lambda: WorkshopCommand.prune("/b", amount=1.0),
        lambda: WorkshopCommand.prune("/b", amount=math.nan),
        lambda: WorkshopCommand.prune("/b", amount=True),
    ],
)
def test_a_value_that_would_be_an_option_or_is_none_is_refused(build):
    with pytest.raises(WorkshopArgumentError, match="; give "):
        build()


# ---- progress --------------------------------------------------------------------------------------------------------


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
    assert first == '@progress {"fraction": 0.41, "text": "model.pt 412 / 936 MB 下载", "eta_s": 65}'
    assert parse_progress(first) == Progress(text="model.pt 412 / 936 MB 下载", fraction=0.41, eta_s=65)


def test_a_share_outside_its_range_is_brought_back(for_programs, capsys):
    report(1.0000001, "done")
    assert parse_progress(capsys.readouterr().err) == Progress(text="done", fraction=1.0)


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
        ' @progress {"fraction": 0.5, "text": "x"}',
        "@progress " + "[" * 100_000,
    ],
)
def test_a_line_that_is_no_step_is_none(line):
    assert parse_progress(line) is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1", '"half"', "true"])
def test_a_number_that_means_nothing_is_unknown(value):
    assert parse_progress(f'@progress {{"fraction": {value}, "text": "x", "eta_s": {value}}}') == Progress(text="x")


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


def test_a_command_writes_its_progress_for_a_program(workshop, monkeypatch):
    monkeypatch.delenv("LIGHTVOICE_PROGRESS", raising=False)
    job = workshop.start(command("steps"))
    assert job.wait(LIMIT_S) and job.progress is not None
    assert "LIGHTVOICE_PROGRESS" not in os.environ
