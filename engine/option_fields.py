"""Flat values as forms, queries, command lines and the wire have them ↔ frozen options: one reading of text for every options class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, fields, is_dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from engine.errors import OptionChoiceError, OptionRangeError
from engine.speech.decoding.hotwords import Hotword, hotwords_text, parse_hotwords


class DataclassInstance(Protocol):
    """Options: an object of any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


OptionsT = TypeVar("OptionsT", bound=DataclassInstance)

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def parse_fields(kind: type[OptionsT], values: Mapping[str, Any]) -> OptionsT:
    """Options from the values that have their fields' names; options within options are read from the same values.

    A value is text or has its type already. What is absent or None is the default, and other names are left alone. Raises
    OptionChoiceError for a flag that is neither true nor false, and what the class itself raises for values that it does not take.
    """
    chosen: dict[str, Any] = {}
    for field in fields(kind):
        nested: Any = field.default_factory
        if isinstance(nested, type) and is_dataclass(nested):
            chosen[field.name] = parse_fields(nested, values)
        elif values.get(field.name) is not None:
            chosen[field.name] = _READERS[str(field.type)](field.name, values[field.name])
    return kind(**chosen)


def flat_fields(options: DataclassInstance) -> dict[str, Any]:
    """The values of options, and of those within them, by field name: what :func:`parse_fields` takes."""
    flat: dict[str, Any] = {}
    for field in fields(options):
        value = getattr(options, field.name)
        write = _WRITERS.get(str(field.type))
        if write is not None:
            flat[field.name] = write(value)
        else:
            flat |= flat_fields(value) if is_dataclass(value) and not isinstance(value, type) else {field.name: value}
    return flat


def check_ranges(options: DataclassInstance, ranges: Mapping[str, tuple[float, float]]) -> None:
    """OptionRangeError for a number of the options that lies outside its range, or is no number of its kind."""
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name not in ranges or (value is None and "None" in str(field.type)):
            continue
        lowest, highest = ranges[field.name]
        kind = float | int if field.type == "float" else int
        if isinstance(value, bool) or not isinstance(value, kind) or not lowest <= value <= highest:
            raise OptionRangeError(name=field.name, value=value, lowest=lowest, highest=highest)


def _text(_: str, value: Any) -> Any:
    return str(value).strip()


def flag(name: str, value: Any) -> bool:
    """The truth of a value that is one, or text that means it; OptionChoiceError for anything else."""
    text = str(value).strip().lower()
    if text not in _FLAGS:
        raise OptionChoiceError(name=name, value=value, known=("true", "false"))
    return _FLAGS[text]


def _whole(_: str, value: Any) -> Any:
    """A whole number; anything else as it is, for the options themselves to refuse with their range."""
    text = str(value).strip()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(text) if isinstance(value, str) and text.isascii() and text.isdecimal() else value


def _number(_: str, value: Any) -> Any:
    """Likewise, with decimals."""
    try:
        return value if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return value


def _hotwords(_: str, value: Any) -> tuple[Hotword, ...]:
    """Hotwords as they are, or their text."""
    return value if isinstance(value, tuple) else parse_hotwords(str(value))


_HOTWORDS = "tuple[Hotword, ...]"
#: By the type of a field, as it is written.
_READERS: dict[str, Callable[[str, Any], Any]] = {
    "bool": flag,
    "float": _number,
    "int": _whole,
    "int | None": _whole,
    "str": _text,
    "Channel": _text,
    _HOTWORDS: _hotwords,
}
#: Likewise, what JSON takes of a value that it does not take itself.
_WRITERS: dict[str, Callable[[Any], Any]] = {_HOTWORDS: hotwords_text}
