"""What who runs the server sees of it: health, figures, log lines with the request's id, and an end that finishes what runs."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.servers import metrics
from tests.ui.fake_engine import FakeEngine
from tests.waiting import WAIT_S, until
from ui.scheduling.run_slots import RunSlots
from ui.status.health import Health
from ui.status.log_lines import REQUEST_ID, JsonLines, TextLines

ROOT = Path(__file__).resolve().parents[3]
SPOKEN = "three one four"


# ---- health ----------------------------------------------------------------------------------------------------------


def test_ready_is_said_once_the_models_are_loaded() -> None:
    engine, may_load = FakeEngine(), threading.Event()
    loads: list[int] = []

    def warm_up() -> None:
        loads.append(1)
        assert may_load.wait(WAIT_S)

    engine.warm_up = warm_up  # type: ignore[method-assign]
    slots = RunSlots(1)
    health = Health(engine, slots)
    for _ in range(3):
        answer = health.ready()
        assert (answer.status_code, json.loads(answer.body)["status"]) == (503, "loading")
    assert loads == [1]
    may_load.set()
    until(lambda: health.ready().status_code == 200)
    slots.close()
    assert json.loads(health.ready().body)["status"] == "stopping"
    assert health.alive().status_code == 200


def test_models_that_cannot_be_loaded_are_reported_and_tried_again() -> None:
    from engine.errors import SessionError

    engine = FakeEngine()
    wrong: list[Exception] = [SessionError("the graph is broken")]

    def warm_up() -> None:
        if wrong:
            raise wrong.pop()

    engine.warm_up = warm_up  # type: ignore[method-assign]
    health = Health(engine, RunSlots(1))
    health.ready()
    until(lambda: json.loads(health.ready().body).get("reason") == "the graph is broken" or health.is_loaded())
    until(lambda: health.ready().status_code == 200)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("std::bad_alloc"), OSError(5, "Input/output error"), AssertionError()])
def test_an_unexpected_error_does_not_leave_the_server_loading_for_ever(error: Exception, caplog) -> None:
    engine, tries, may_load = FakeEngine(), [], threading.Event()

    def warm_up() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise error
        assert may_load.wait(WAIT_S)

    engine.warm_up = warm_up  # type: ignore[method-assign]
    health = Health(engine, RunSlots(1))
    health.ready()
    until(lambda: any("the models cannot be loaded" in record.message for record in caplog.records))
    [number] = re.findall(r"unexpected error ([0-9a-f]{8})", caplog.text)
    said = json.loads(health.ready().body)  # which begins the second try
    assert (said["status"], said["reason"]) == ("failed", f"unexpected error; the server's log has it under {number}")
    may_load.set()
    until(lambda: health.ready().status_code == 200)
    assert len(tries) == 2


def test_a_machine_without_a_thread_to_spare_is_a_failure_that_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    health, start = Health(FakeEngine(), RunSlots(1)), threading.Thread.start

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        assert json.loads(health.ready().body)["status"] == "failed"
    assert threading.Thread.start is start
    until(lambda: health.ready().status_code == 200)


# ---- figures ---------------------------------------------------------------------------------------------------------


def test_requests_runs_and_waits_are_counted(run_page: Callable[..., object], two_words: Path) -> None:
    with run_page() as page:
        httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()})
        httpx.get(f"{page.address}/no/such/thing")
        httpx.get(f"{page.address}/an-attacker-makes-up-names")
        seen = metrics(page.address)
    assert seen['lightvoice_requests_total{method="POST",route="v1",status="200"}'] == 1
    assert seen['lightvoice_requests_total{method="GET",route="other",status="404"}'] == 2
    assert seen['lightvoice_runs_total{bundle="fake",precision="fp32",source="api"}'] == 1
    assert seen["lightvoice_audio_seconds_total"] == 3.0
    assert seen['lightvoice_run_seconds_count{precision="fp32"}'] == 1
    assert (seen["lightvoice_runs_running"], seen["lightvoice_runs_waiting"], seen["lightvoice_lightweight"]) == (0, 0, 0)
    assert seen["process_resident_memory_bytes"] > 1e6
    assert not [name for name in seen if "made" in name or "attacker" in name]


def test_a_full_line_is_answered_with_the_time_to_wait(run_page: Callable[..., object], two_words: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from ui.limits import Limits

    def ask() -> httpx.Response:
        return httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, timeout=WAIT_S)

    with run_page(limits=Limits(concurrent_runs=1, waiting_runs=1)) as page, ThreadPoolExecutor(8) as pool:
        page.engine.hold.clear()
        inside = [pool.submit(ask) for _ in range(2)]
        until(lambda: metrics(page.address)["lightvoice_runs_waiting"] == 1)
        refused = ask()
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert re.search(r"1 wait .*try again in about \d+ s", refused.json()["error"]["message"])
        page.engine.hold.set()
        assert [answer.result().status_code for answer in inside] == [200, 200]


# ---- log -------------------------------------------------------------------------------------------------------------


def line_of(formatter: logging.Formatter, message: str, **fields: object) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger = logging.getLogger("lightvoice.test")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    token = REQUEST_ID.set("abc")
    try:
        logger.info(message, extra={"fields": fields})
    finally:
        REQUEST_ID.reset(token)
        logger.removeHandler(handler)
    return stream.getvalue()


def test_a_line_of_json_holds_the_request_and_the_fields() -> None:
    values = json.loads(line_of(JsonLines(), "request", path="/录音", status=200))
    assert values.pop("time").endswith("+00:00")
    assert values == {
        "level": "INFO",
        "logger": "lightvoice.test",
        "message": "request",
        "request_id": "abc",
        "path": "/录音",
        "status": 200,
    }


def test_nobody_can_write_a_line_of_the_log() -> None:
    name = "a.wav\n2026-11-21 INFO root: all is well\x1b[2J"
    for formatter in (TextLines(), JsonLines()):
        line = line_of(formatter, f"cannot read {name}", file=name)
        assert line.count("\n") == 1
        assert "\x1b" not in line


@pytest.mark.parametrize("shown", [False, True])
def test_the_log_has_the_requests_id_and_no_word_of_what_was_said(
    run_page: Callable[..., object], two_words: Path, caplog: pytest.LogCaptureFixture, shown: bool
) -> None:
    caplog.set_level(logging.INFO)
    ids: list[str] = []
    caplog.handler.addFilter(lambda record: ids.append(REQUEST_ID.get()) or True if record.msg == "transcribed" else True)
    with run_page(show_text=shown) as page:
        headers = {"x-request-id": "mine-1"}
        answer = httpx.post(f"{page.address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, headers=headers)
        made_up = httpx.get(f"{page.address}/healthz", headers={"x-request-id": "no id!"}).headers["x-request-id"]
    assert answer.headers["x-request-id"] == "mine-1"
    assert re.fullmatch(r"[0-9a-f]{16}", made_up)
    assert ids == ["mine-1"]
    written = " ".join(str(vars(record)) for record in caplog.records)
    assert (SPOKEN in written) is shown
    fields = [record.fields for record in caplog.records if record.msg == "request"]
    assert {"method": "POST", "path": "/v1/audio/transcriptions", "status": 200}.items() <= fields[0].items()


# ---- end -------------------------------------------------------------------------------------------------------------

SLOW = """
import threading, sys
from tests.ui.fake_engine import FakeEngine
from ui.serve import serve
engine = FakeEngine()
engine.hold.clear()
threading.Thread(target=lambda: (sys.stdin.readline(), engine.hold.set()), daemon=True).start()
serve(engine, port=0, on_ready=lambda address: print(address, flush=True))
print("ended", flush=True)
"""


def test_a_server_that_is_stopped_finishes_what_runs_and_refuses_the_rest(two_words: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)}
    server = subprocess.Popen(
        [sys.executable, "-c", SLOW], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None and server.stdin is not None
        address = server.stdout.readline().strip()
        answers: dict[str, httpx.Response] = {}

        def ask(name: str) -> None:
            answers[name] = httpx.post(f"{address}/v1/audio/transcriptions", files={"file": two_words.read_bytes()}, timeout=WAIT_S)

        def waiting() -> float:
            return metrics(address)["lightvoice_runs_waiting"]

        runs = [threading.Thread(target=ask, args=(name,)) for name in ("first", "second", "third")]
        for run in runs:
            run.start()
        until(lambda: waiting() == 1)
        server.send_signal(signal.SIGTERM)
        until(lambda: len(answers) >= 1)  # whichever of them only waited is refused at once
        ((_name, refused),) = answers.items()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_stopping")
        assert refused.headers["retry-after"]
        assert httpx.get(f"{address}/readyz").json()["status"] == "stopping"
        assert httpx.get(f"{address}/healthz").status_code == 200
        ask("late")
        assert answers["late"].status_code == 503
        server.stdin.write("go on\n")
        server.stdin.flush()
        for run in runs:
            run.join(WAIT_S)
        assert sorted(answers[name].status_code for name in ("first", "second", "third")) == [200, 200, 503]
        said, _ = server.communicate(timeout=WAIT_S)
        assert (said.strip(), server.returncode) == ("ended", 0)
        assert list(tmp_path.glob("lightvoice-*")) == []
    finally:
        server.kill()
        server.communicate()


def test_a_page_without_a_password_that_others_reach_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    from ui.http.access.credentials import Credentials
    from ui.serve import _warn_without_password

    for host, persons, warned in (("127.0.0.1", [], False), ("::1", [], False), ("0.0.0.0", [], True), ("0.0.0.0", ["bo:secret"], False)):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            _warn_without_password(host, Credentials(persons=persons))
        assert ("without a password" in caplog.text) is warned, host
