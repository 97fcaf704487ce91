"""Runs of one session side by side: the same numbers as one after another, ended when they are no longer wanted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import GraphContractError
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session import Session
from engine.runtime.stop_signal import RunStoppedError, StopSignal
from tests.engine.runtime.graph_double import GraphDouble
from tests.waiting import WAIT_S

LENGTHS = (1, 17, 50, 167)
THREADS = 3


def feeds(frames: int, language: int = 0) -> dict[str, Any]:
    speech = np.random.default_rng(frames).normal(size=(1, frames, 560)).astype(np.float32)
    return {"speech": speech, "language": np.full(1, language, np.int32), "textnorm": np.full(1, 15, np.int32)}


@pytest.fixture(scope="module", params=["fp32", "int8"])
def alone(request: pytest.FixtureRequest, starter_bundle: Path) -> Iterator[Session]:
    """A session of one thread and no slots."""
    session = Session.open(starter_bundle / f"asr.{request.param}.onnx", model="asr", precision=request.param, threads=1)
    yield session
    session.close()


@pytest.fixture(scope="module")
def shared(alone: Session) -> Iterator[Session]:
    """The same graph with several threads and slots."""
    session = Session.open(alone.path, model="asr", precision=alone.precision, threads=THREADS, slots=CoreSlots(THREADS + 2))
    yield session
    session.close()


def same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("slot", range(THREADS + 2))
def test_every_slot_gives_the_numbers_of_one_thread(alone: Session, shared: Session, slot: int) -> None:
    slots = shared._slots
    assert slots is not None
    for frames in LENGTHS:
        with slots.taken(slot):
            found = shared.run(None, feeds(frames))
        assert same(found, alone.run(None, feeds(frames)))


def test_runs_side_by_side_give_the_numbers_of_one_after_another(alone: Session, shared: Session) -> None:
    expected = {frames: alone.run(None, feeds(frames)) for frames in LENGTHS}
    with ThreadPoolExecutor(12) as threads:
        found = {frames: [threads.submit(shared.run, None, feeds(frames)) for _ in range(8)] for frames in LENGTHS}
    for frames, runs in found.items():
        assert all(same(run.result(), expected[frames]) for run in runs)
    assert shared._slots is not None
    assert shared._slots.running() == 0


@pytest.mark.parametrize("slot", [0, 1, THREADS])
def test_a_run_that_fails_leaves_the_others_and_its_slot(alone: Session, shared: Session, slot: int) -> None:
    slots = shared._slots
    assert slots is not None
    with ThreadPoolExecutor(4) as threads:
        others = [threads.submit(shared.run, None, feeds(50)) for _ in range(4)]
        with slots.taken(slot), pytest.raises(GraphContractError, match="cannot be run"):
            shared.run(None, feeds(50, language=9999))
    assert all(same(one.result(), alone.run(None, feeds(50))) for one in others)
    assert slots.running() == 0


@pytest.mark.parametrize("slot", [0, 1, THREADS])
def test_a_stopped_request_runs_nothing(shared: Session, slot: int) -> None:
    stop = StopSignal()
    stop.stop()
    assert shared._slots is not None
    with shared._slots.taken(slot), pytest.raises(RunStoppedError):
        shared.run(None, feeds(10), stop=stop)


class EndlessGraph(GraphDouble):
    """Stands in for ONNX Runtime's session: computes until it is told to end."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def run(self, names: object, feeds: object, options: Any) -> list[Any]:
        self.begun.set()
        while not options.terminate:
            threading.Event().wait(0.001)
        raise RuntimeError("Exiting due to terminate flag being set to true.")

    def run_async(self, names: object, feeds: object, note: Any, data: object, options: Any) -> None:
        def compute(note: Any) -> None:
            self.begun.set()
            while not options.terminate:
                threading.Event().wait(0.001)
            note([], data, "Exiting due to terminate flag being set to true.")

        threading.Thread(target=compute, args=(note,), daemon=True).start()


@pytest.mark.parametrize("slot", [0, 1])
def test_a_run_ends_when_its_request_is_stopped(slot: int) -> None:
    graph, slots, stop, ended = EndlessGraph(), CoreSlots(2), StopSignal(), list[type]()
    session = Session(graph, path=Path("asr.onnx"), model="asr", precision="fp32", mb=1, threads=2, slots=slots)

    def run() -> None:
        try:
            with slots.taken(slot):
                session.run(None, {}, stop=stop)
        except RunStoppedError as error:
            ended.append(type(error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert graph.begun.wait(WAIT_S)
    stop.stop()
    thread.join(WAIT_S)
    assert ended == [RunStoppedError]


def test_a_session_may_be_closed_as_soon_as_its_last_run_has_answered(starter_bundle: Path) -> None:
    for _ in range(20):
        slots = CoreSlots(2)
        session = Session.open(starter_bundle / "vad.int8.onnx", model="vad", precision="int8", threads=2, slots=slots)
        with slots.taken(1):
            session.run(session.output_names[:1], {session.input_names[0]: np.zeros((1, 5, 400), np.float32)})
        session.close()
