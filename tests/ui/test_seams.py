"""What stands between the page and the engine: the fake keeps to the real engine's interface, progress reaches the bar."""

from __future__ import annotations

import inspect

import pytest

from engine.cluster.serve.remote_engine import RemoteEngine
from engine.pipeline import Engine
from engine.speech_engine import SpeechEngine
from tests.ui.fake_engine import FakeEngine
from ui.text.texts import Texts
from ui.widgets.engine_progress import engine_progress


def test_the_fake_takes_what_the_engine_takes() -> None:
    for name in [name for name in vars(SpeechEngine) if inspect.isfunction(getattr(SpeechEngine, name)) and not name.startswith("_")]:
        real, fake = (inspect.signature(getattr(one, name)).parameters for one in (Engine, FakeEngine))
        assert list(fake) == list(real), name
        for parameter in fake:
            assert fake[parameter].kind == real[parameter].kind, (name, parameter)
            assert fake[parameter].default == real[parameter].default, (name, parameter)


def test_every_engine_is_one_by_type_and_reads_no_files() -> None:
    for engine in (Engine, RemoteEngine, FakeEngine):
        assert SpeechEngine in engine.__mro__
        assert not {"load", "open_recording", "probe", "start_decoder"} & set(dir(engine))


@pytest.mark.parametrize(
    ("fraction", "stage", "shown"),
    [(0.25, "vad", (0.25, "Finding speech")), (-1.0, "decode", (0.0, "Reading the recording")), (1.5, "polishing", (1.0, "Working"))],
)
def test_progress_reaches_the_bar_in_the_readers_words(fraction: float, stage: str, shown: tuple[float, str]) -> None:
    seen: list[tuple[float, str]] = []
    engine_progress(lambda value, desc: seen.append((value, desc)), Texts("en"))(fraction, stage)
    assert seen == [shown]
