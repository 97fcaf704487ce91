"""A command in a process of its own: with progress, log and an end that always comes."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from models.jobs.failure_kind import FailureKind
from models.jobs.job import LINE_CHARACTERS, LOG_LINES, Job, JobStartError, JobState
from models.jobs.progress import Check, Progress
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 30
GRACE_S = 0.5
#: Stands in for `python -m models`: its first argument chooses what it does.
STAND_IN = """
import os, signal, subprocess, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
from models.jobs.failure_kind import FailureKind
from models.jobs.progress import Check, report, report_check, report_failure, report_result
what, *rest = sys.argv[1:]
if what == "arguments":
    print("\\n".join(rest))
elif what == "steps":
    report(0.25, "a quarter", eta_s=30)
    print("between")
    report(1.0, "done")
    report_check(Check(passed=5, tested=6))
    report_result(Path("made/here"))
elif what == "full":
    report_failure(FailureKind.DISK)
    print("no room", file=sys.stderr)
    sys.exit(1)
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
"""


@pytest.fixture
def start(tmp_path):
    """Starts the stand-in with arguments; what still runs at the end of the test is ended."""
    script = tmp_path / "stand in.py"
    script.write_text(STAND_IN)
    jobs = []

    def start(*arguments: str) -> Job:
        jobs.append(Job([sys.executable, str(script), *arguments], grace_s=GRACE_S))
        return jobs[-1]

    yield start
    for job in jobs:
        job.close()


def wait_for_line(job) -> str:
    until(lambda: job.log or job.state is not JobState.RUNNING)
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


def test_progress_log_and_result_of_a_command_are_told_apart(start):
    job = start("steps")
    assert job.wait(LIMIT_S)
    assert (job.state, job.error) == (JobState.DONE, None)
    assert job.progress == Progress(text="done", fraction=1.0)
    assert job.log == ("between",)
    assert job.result == ROOT / "made" / "here"
    assert (job.check, job.failure) == (Check(passed=5, tested=6), None)


def test_a_job_that_failed_says_why_as_far_as_it_knows(start):
    full, failed = start("full"), start("fail")
    assert full.wait(LIMIT_S) and failed.wait(LIMIT_S)
    assert (full.failure, full.error) == (FailureKind.DISK, "no room")
    assert failed.failure is FailureKind.OTHER


def test_arguments_arrive_unchanged_and_no_shell_reads_them(start):
    values = ("a b", "$(touch x)", "; ls", "*", "录音")
    job = start("arguments", *values)
    assert job.wait(LIMIT_S)
    assert job.log == values


def test_a_command_that_fails_leaves_its_last_line_as_the_reason(start):
    job = start("fail")
    assert job.wait(LIMIT_S)
    assert (job.state, job.result) == (JobState.FAILED, None)
    assert job.error == "no such bundle: x; choose another"


def test_a_command_that_crashes_names_the_signal(start):
    job = start("crash")
    assert job.wait(LIMIT_S)
    assert job.state is JobState.FAILED
    assert "signal 9" in job.error and "before" in job.error


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(JobStartError, match=r"/nowhere/python: No such file.*try again"):
        Job(["/nowhere/python", "x"])


def test_the_log_keeps_the_last_lines_and_none_is_endless(start):
    job = start("noise", str(LOG_LINES + 200))
    assert job.wait(LIMIT_S) and job.state is JobState.DONE
    assert len(job.log) == LOG_LINES
    assert str(LOG_LINES + 199) in job.log and "0" not in job.log
    assert max(len(line) for line in job.log) == LINE_CHARACTERS
    assert job.log[-1] == "\ufffd\ufffd"


# ---- cancel ----------------------------------------------------------------------------------------------------------


def test_cancel_ends_the_command_and_what_it_started(start):
    job = start("sleep")
    pids = [int(word) for word in wait_for_line(job).split()]
    job.cancel()
    assert job.wait(LIMIT_S)
    assert (job.state, job.result) == (JobState.CANCELLED, None)
    assert gone(*pids) and len(pids) == 2


def test_a_command_that_will_not_end_is_killed_after_the_grace_period(start):
    job = start("stubborn")
    pid = int(wait_for_line(job))
    started = time.monotonic()
    job.cancel()
    job.cancel()  # a second click changes nothing
    assert job.wait(LIMIT_S)
    assert time.monotonic() - started >= GRACE_S
    assert job.state is JobState.CANCELLED and gone(pid)


def test_a_command_that_finished_all_the_same_is_done(start):
    job = start("polite")
    wait_for_line(job)
    job.cancel()
    assert job.wait(LIMIT_S) and job.state is JobState.DONE


def test_cancel_after_the_end_changes_nothing(start):
    job = start("arguments")
    assert job.wait(LIMIT_S)
    job.cancel()
    assert job.state is JobState.DONE


def test_close_ends_everything_and_leaves_no_thread(start):
    before = threading.active_count()
    job = start("sleep")
    pids = [int(word) for word in wait_for_line(job).split()]
    job.close()
    assert job.state is JobState.CANCELLED
    assert gone(*pids)
    assert threading.active_count() == before


def test_the_command_reports_its_progress_for_programs(start, monkeypatch):
    monkeypatch.delenv("LIGHTVOICE_PROGRESS", raising=False)
    job = start("steps")
    assert job.wait(LIMIT_S) and job.progress is not None
    assert "LIGHTVOICE_PROGRESS" not in os.environ
