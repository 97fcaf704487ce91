"""Errors on their way between processes, and what is said where there is nothing to say."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.errors import LightVoiceError, first_line
from models.jobs.failure_kind import FailureKind

for module in (
    "models.benchmark.benchmark",
    "models.bundle.disk",
    "models.fetch.fetch",
    "ui.api.errors",
    "ui.history.errors",
    "ui.models.state",
    "ui.scheduling.run_slots",
):
    importlib.import_module(module)  # an error is known once its module is

#: A value for each kind of argument that an error's constructor takes, by what its annotation begins with.
VALUES = {
    "FailureKind": FailureKind.OFFLINE,
    "str | Path": Path("/a/talk.wav"),
    "str": "why",
    "int": 3,
    "float": 1.5,
    "Iterable": {"a": 1, "b": 2}.keys(),
    "tuple": ("a", "b"),
    "object": "x",
    "Path": Path("/a"),
}


def family(kind: type[LightVoiceError]) -> Iterator[type[LightVoiceError]]:
    for below in kind.__subclasses__():
        yield below
        yield from family(below)


def made(kind: type[LightVoiceError]) -> LightVoiceError:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        value = next(value for start, value in VALUES.items() if str(parameter.annotation).startswith(start))
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = value
        else:
            positional.append(value)
    return kind(*positional, **named) if positional or named else kind()


KINDS = sorted(set(family(LightVoiceError)), key=lambda kind: f"{kind.__module__}.{kind.__name__}")


def test_the_kinds_are_those_of_the_whole_product() -> None:
    assert {kind.__module__.split(".")[0] for kind in KINDS} >= {"engine", "models", "ui"}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_comes_back_as_it_was(kind: type[LightVoiceError]) -> None:
    sent = made(kind)
    for received in (pickle.loads(pickle.dumps(sent)), copy.copy(sent), copy.deepcopy(sent)):
        assert type(received) is kind
        assert (str(received), received.args) == (str(sent), sent.args)
        plain = {name: value if isinstance(value, str | int | float | Path) else tuple(value) for name, value in sent.values.items()}
        assert received.__dict__ == {**sent.__dict__, "values": plain}


@pytest.mark.parametrize(
    ("error", "said"),
    [(OSError(), "OSError"), (ValueError(""), "ValueError"), (OSError("\n \n"), "OSError"), (ValueError("first\nsecond"), "first")],
)
def test_an_error_without_a_text_is_named_by_its_kind(error: Exception, said: str) -> None:
    assert first_line(error) == said
