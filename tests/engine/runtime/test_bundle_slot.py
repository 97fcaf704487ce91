"""One bundle takes another's place while requests run: they end on theirs, nothing leaks, what is broken changes nothing."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform
from engine.bundle import Bundle
from engine.errors import BundleError, BundleTamperedError, GraphContractError, UnknownPrecisionError
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.bundle_slot import BundleSlot, OpenBundle
from engine.runtime.session_pool import carried_over
from tests.engine.runtime.fake_sessions import FakeSession
from tests.waiting import PAUSE_S, WAIT_S, until


class Opener:
    """Opens fake sessions that know their bundle; fails for bundles of the names in ``broken``."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, FakeSession]] = []
        self.broken: set[str] = set()

    def __call__(self, bundle: Bundle, *, model: str, precision: str, device: str, threads: int) -> Any:
        if bundle.name in self.broken:
            raise GraphContractError(path=model, reason="broken on purpose")
        session = FakeSession(model, precision)
        self.opened.append((bundle.name, session))
        return session

    def open_names(self) -> list[tuple[str, str]]:
        return sorted({(name, session.precision) for name, session in self.opened if session.open})


@pytest.fixture
def make_bundle(tiny_bundle: Path, tmp_path: Path) -> Callable[..., Bundle]:
    """``make_bundle("second", "fp32", "int8-static")``: a copy of the tiny bundle with this name and these variants."""

    def make(name: str, *variants: str) -> Bundle:
        folder = tmp_path / name
        shutil.copytree(tiny_bundle, folder)
        fields = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        kept = {variant: fields["variants"]["int8" if variant.startswith("int8") else "fp32"] for variant in variants or ("fp32", "int8")}
        (folder / "bundle.json").write_text(json.dumps({**fields, "name": name, "variants": kept}), encoding="utf-8")
        return Bundle.load(folder)

    return make


@pytest.fixture
def opener() -> Opener:
    return Opener()


def use(opened: OpenBundle) -> None:
    with opened.pool.lease():
        pass


# ---- the slot --------------------------------------------------------------------------------------------------------


def test_the_new_bundle_is_open_and_the_old_one_closed(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    use(slot.current)
    report = slot.switch(make_bundle("second"), warm_up=use)
    assert slot.current.parts.bundle.name == "second"
    assert opener.open_names() == [("second", "fp32")]
    assert [session.model for session in slot.sessions()] == ["asr", "vad"]
    said = report.to_dict()
    assert (said["bundle"], said["precision"]) == ("second", "fp32")
    assert min(said["rss_mb"], said["rss_before_mb"]) > 0 and said["seconds"] >= 0


def test_a_running_request_ends_on_the_bundle_it_began_with(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    with slot.current.pool.lease() as sessions:
        slot.switch(make_bundle("second"), warm_up=use)
        assert sessions.asr.open
        assert opener.open_names() == [("first", "fp32"), ("second", "fp32")]
        assert len(slot.sessions()) == 4  # what still takes memory is shown
    assert opener.open_names() == [("second", "fp32")]
    assert len(slot.sessions()) == 2


def test_a_request_that_came_before_the_switch_and_opens_after_it_leaves_nothing_open(
    make_bundle: Callable[..., Bundle], opener: Opener
) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    mine = slot.current
    slot.switch(make_bundle("second"), warm_up=use)
    with mine.pool.lease("int8") as sessions:
        assert sessions.asr.open
    assert opener.open_names() == [("second", "fp32")]


def test_there_is_room_for_the_new_bundle_before_it_is_opened(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    use(slot.current)
    seen = []

    def warm_up(opened: OpenBundle) -> None:
        seen.append(opener.open_names())
        use(opened)

    slot.switch(make_bundle("second"), warm_up=warm_up)
    assert seen == [[]]


def test_a_bundle_that_cannot_be_opened_changes_nothing(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    before = slot.current
    opener.broken = {"second"}
    with pytest.raises(GraphContractError, match="broken on purpose"):
        slot.switch(make_bundle("second"), warm_up=use)
    assert slot.current is before
    use(slot.current)
    assert opener.open_names() == [("first", "fp32")]


def test_a_bundle_that_opens_and_does_not_run_changes_nothing(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)

    def fails(opened: OpenBundle) -> None:
        use(opened)
        raise GraphContractError(path="asr", reason="it cannot be run")

    with pytest.raises(GraphContractError):
        slot.switch(make_bundle("second"), warm_up=fails)
    assert slot.current.parts.bundle.name == "first"
    assert opener.open_names() == []


@pytest.mark.parametrize(
    ("asked", "known", "taken"),
    [
        ("fp32", ("fp32", "int8"), "fp32"),
        ("int8-static", ("fp32", "int8", "int8-static"), "int8-static"),
        ("int8-static", ("fp32", "int8"), "int8"),
        ("int8", ("fp32",), "fp32"),
        ("fp16", ("fp32", "int8"), "fp32"),
        ("fp32", ("int8",), "int8"),
        ("fp32", ("fp32-batch", "int8-qat"), "fp32-batch"),
    ],
)
def test_a_precision_that_the_bundle_lacks_gets_the_nearest(asked: str, known: tuple[str, ...], taken: str) -> None:
    assert carried_over(asked, known) == taken


def test_precision_and_mode_come_back_after_a_bundle_that_lacked_them(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first", "fp32", "int8", "int8-static"), precision="int8-static", opener=opener)
    slot.switch(make_bundle("small", "fp32", "int8"), warm_up=use)
    assert (slot.current.pool.current, slot.current.pool.lightweight) == ("int8", True)
    slot.switch(make_bundle("again", "fp32", "int8", "int8-static"), warm_up=use)
    assert (slot.current.pool.current, slot.current.pool.lightweight) == ("int8-static", False)


def test_lightweight_mode_stays_with_the_server(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    slot.set_lightweight(True)
    slot.switch(make_bundle("second"), warm_up=use)
    assert slot.current.pool.lightweight
    assert opener.open_names() == [("second", "int8")]
    slot.switch(make_bundle("full only", "fp32"), warm_up=use)
    assert (slot.current.pool.lightweight, slot.current.pool.current) == (False, "fp32")
    with pytest.raises(UnknownPrecisionError):
        slot.set_lightweight(True)
    slot.switch(make_bundle("third"), warm_up=use)
    assert slot.current.pool.lightweight
    slot.set_lightweight(False)
    slot.switch(make_bundle("light only", "int8"), warm_up=use)
    assert slot.current.pool.current == "int8"
    slot.switch(make_bundle("fourth"), warm_up=use)
    assert (slot.current.pool.lightweight, slot.current.pool.current) == (False, "fp32")


def test_a_switch_of_the_mode_while_a_bundle_is_opened_is_not_lost(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)

    def warm_up(opened: OpenBundle) -> None:
        use(opened)
        slot.set_lightweight(True)

    slot.switch(make_bundle("second"), warm_up=warm_up)
    assert slot.current.pool.lightweight
    assert opener.open_names() == []  # FP32, opened to try the bundle, is closed again


def test_closing_closes_every_bundle(make_bundle: Callable[..., Bundle], opener: Opener, caplog: pytest.LogCaptureFixture) -> None:
    slot = BundleSlot(make_bundle("first"), precision="fp32", opener=opener)
    with slot.current.pool.lease():
        slot.switch(make_bundle("second"), warm_up=use)
        slot.close()
        assert "fp32" in caplog.text
    assert opener.open_names() == []


@pytest.fixture
def other_tiny_bundle(make_bundle: Callable[..., Bundle]) -> Path:
    return make_bundle("other").folder


class Load:
    """Requests one after the other in six threads, each in use until the precision has been switched once more."""

    def __init__(self, slot: BundleSlot) -> None:
        self.wrong: list[str] = []
        self.served: set[str] = set()
        self._slot, self._stop = slot, threading.Event()
        self._toggles = 0
        self._toggled, self._asked = threading.Condition(), threading.Semaphore(0)
        self._requests = [threading.Thread(target=self._request) for _ in range(6)]
        self._threads = [*self._requests, threading.Thread(target=self._toggle)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_S)
        assert not any(thread.is_alive() for thread in self._threads)

    def _request(self) -> None:
        while not self._stop.is_set():
            mine = self._slot.current
            with mine.pool.lease() as sessions:
                if not (sessions.asr.open and sessions.vad.open):
                    self.wrong.append("closed in use")
                self.served.add(mine.parts.bundle.name)
                with self._toggled:
                    before = self._toggles
                    self._asked.release()
                    self._toggled.wait_for(lambda before=before: self._toggles > before, WAIT_S)
                if not sessions.asr.open:
                    self.wrong.append("closed while in use")

    def _toggle(self) -> None:
        while any(thread.is_alive() for thread in self._requests):
            if self._asked.acquire(timeout=PAUSE_S):
                with contextlib.suppress(UnknownPrecisionError):  # the third bundle has no INT8
                    self._slot.set_lightweight(not self._slot.current.pool.lightweight)
                with self._toggled:
                    self._toggles += 1
                    self._toggled.notify_all()


def test_switching_under_load_loses_no_request_and_leaks_no_session(make_bundle: Callable[..., Bundle], opener: Opener) -> None:
    bundles = [make_bundle("first"), make_bundle("second", "fp32", "int8", "int8-mixed"), make_bundle("third", "fp32")]
    slot = BundleSlot(bundles[0], precision="fp32", opener=opener)
    switchers = [threading.Thread(target=lambda: [slot.switch(one, warm_up=use) for one in bundles * 3]) for _ in range(2)]
    with Load(slot) as load:
        for thread in switchers:
            thread.start()
        for thread in switchers:
            thread.join(WAIT_S)
            assert not thread.is_alive()
        for one in bundles:
            slot.switch(one, warm_up=use)
            until(lambda name=one.name: name in load.served)
    assert load.wrong == []
    assert {name for name, _ in opener.open_names()} <= {slot.current.parts.bundle.name}
    assert len(slot.sessions()) == sum(session.open for _, session in opener.opened)
    slot.close()
    assert opener.open_names() == []


# ---- the engine ------------------------------------------------------------------------------------------------------


def loud(seconds: float) -> Waveform:
    return Waveform(np.random.default_rng(9527).normal(0, 0.3, int(SAMPLE_RATE_HZ * seconds)).astype(np.float32), name="noise")


def test_requests_say_which_bundle_answered(tiny_bundle: Path, starter_bundle: Path) -> None:
    engine = Engine(Bundle.load(starter_bundle))
    try:
        assert engine.transcribe(loud(1)).bundle == "starter"
        report = engine.switch(Bundle.load(tiny_bundle))
        assert (report.bundle, engine.bundle.name, engine.precisions) == ("tiny", "tiny", ("fp32", "int8"))
        assert engine.resources()["last_rtf"] is None
        assert engine.transcribe(loud(1)).bundle == "tiny"
        comparison = engine.compare(loud(1)).to_dict()
        assert (comparison["left"]["bundle"], comparison["right"]["bundle"]) == ("tiny", "tiny")
    finally:
        engine.close()
    assert engine.resources()["sessions"] == []


def test_a_comparison_stays_on_its_bundle_while_another_is_opened(tiny_bundle: Path, starter_bundle: Path) -> None:
    engine = Engine(Bundle.load(starter_bundle))
    switched = threading.Event()

    def progress(fraction: float, stage: str) -> None:
        if fraction >= 0.5 and not switched.is_set():
            switched.set()
            engine.switch(Bundle.load(tiny_bundle))

    try:
        sides = engine.compare(loud(2), progress=progress).to_dict()
        assert switched.is_set()
        assert (sides["left"]["bundle"], sides["right"]["bundle"]) == ("starter", "starter")
        assert engine.transcribe(loud(1)).bundle == "tiny"
        assert len(engine.resources()["sessions"]) == 2
    finally:
        engine.close()


def test_a_new_variant_is_there_after_opening_the_bundle_anew(make_bundle: Callable[..., Bundle]) -> None:
    bundle = make_bundle("growing")
    engine = Engine(bundle)
    try:
        fields = json.loads((bundle.folder / "bundle.json").read_text(encoding="utf-8"))
        fields["variants"]["int8-mixed"] = fields["variants"]["int8"]
        (bundle.folder / "bundle.json").write_text(json.dumps(fields), encoding="utf-8")
        with pytest.raises(UnknownPrecisionError):
            engine.transcribe(loud(1), TranscribeOptions(precision="int8-mixed"))
        engine.switch(Bundle.load(bundle.folder))
        assert engine.transcribe(loud(1), TranscribeOptions(precision="int8-mixed")).precision == "int8-mixed"
    finally:
        engine.close()


@pytest.mark.parametrize(("file", "error"), [("asr.mvn", BundleError), ("tokens.txt", BundleError), ("asr.fp32.onnx", BundleTamperedError)])
def test_a_bundle_with_a_damaged_file_leaves_the_open_one_in_place(
    make_bundle: Callable[..., Bundle], file: str, error: type[Exception]
) -> None:
    engine = Engine(make_bundle("whole"))
    damaged = make_bundle("damaged")
    (damaged.folder / file).write_bytes(b"no such thing")
    try:
        engine.warm_up()
        with pytest.raises(BundleTamperedError):
            engine.switch(Bundle.load(damaged.folder))
        with pytest.raises(error):
            engine.switch(damaged)
        assert engine.bundle.name == "whole"
        assert engine.transcribe(loud(1)).bundle == "whole"
    finally:
        engine.close()


@pytest.mark.slow
@pytest.mark.parametrize(("first", "switches"), [("starter_bundle", 30), ("other_tiny_bundle", 60)])
def test_many_switches_leave_the_process_its_size(request: pytest.FixtureRequest, tiny_bundle: Path, first: str, switches: int) -> None:
    """A forgotten session of the starter is seen at once; whatever smaller is forgotten, after sixty switches."""
    from engine.runtime.session import rss_mb

    bundles = [Bundle.load(tiny_bundle), Bundle.load(request.getfixturevalue(first))]
    engine = Engine(bundles[1])
    sizes = []
    for turn in range(switches):
        engine.switch(bundles[turn % 2])
        sizes.append(rss_mb())
    engine.close()
    assert max(sizes[-10:]) <= max(sizes[10:20]) * 1.05
