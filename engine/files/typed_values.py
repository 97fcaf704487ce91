"""Plain values (of JSON or YAML) → checked ones, by msgspec, with errors that name the field and what it holds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from copy import deepcopy
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect

Kind = TypeVar("Kind")

_TYPES_LOCK = threading.Lock()
_prepared: set[Any] = set()

_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_SHOWN_CHARACTERS = 80


def converted(values: Any, kind: Any, *, strict: bool = True, dec_hook: Callable[[type, Any], Any] | None = None) -> Any:
    """``msgspec.convert``, which several threads may call at once.

    At its first value of a class msgspec notes the class's fields. A second thread that comes meanwhile reads the half-written note, and
    the process ends with a segmentation fault (seen with msgspec 0.22.0). So the note is made here first, by one thread at a time.
    """
    if kind not in _prepared:
        with _TYPES_LOCK:
            msgspec.json.Decoder(kind)
            _prepared.add(kind)
    return msgspec.convert(values, kind, strict=strict, dec_hook=dec_hook)


def typed(values: Any, kind: type[Kind], *, strict: bool = True) -> Kind:
    """``values`` as ``kind``; ValueError says which field holds what instead. Without ``strict`` a number may be written as text."""
    try:
        return cast("Kind", converted(values, kind, strict=strict))
    except msgspec.ValidationError as error:
        raise ValueError(_reason(deepcopy(values), kind, str(error), strict=strict)) from error


def _reason(values: Any, kind: type[Any], message: str, *, strict: bool) -> str:
    """The message of msgspec with the whole name of the field and its value; the values are taken apart on the way."""
    said, found, path = message.partition(" - at `$")
    names, value = [], values
    for name, index in _STEP.findall(path):
        key = name or (_failing_key(values, kind, value, message, strict=strict) if index == "..." else int(index))
        names.append(str(key))
        value = value[key]
    if not names:
        return f"{said}{found}{path}"
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"
    if said.startswith("Invalid enum value"):
        said = f"choose one of {', '.join(map(str, _choices(inspect.type_info(kind), names)))}"
    return f"field {'.'.join(names)!r} is {shown}: {said}"


def _choices(found: inspect.Type, names: list[str]) -> list[object]:
    """The values of the closed set that a field's value must be one of."""
    for name in [*names, ""]:
        if isinstance(found, inspect.UnionType):  # or None
            found = next(one for one in found.types if not isinstance(one, inspect.NoneType))
        if isinstance(found, inspect.StructType | inspect.DataclassType):
            found = next(field.type for field in found.fields if field.encode_name == name)
        elif isinstance(found, inspect.DictType):
            found = found.value_type
        elif isinstance(found, inspect.VarTupleType | inspect.ListType):
            found = found.item_type
    return [one.value for one in found.cls] if isinstance(found, inspect.EnumType) else list(getattr(found, "values", ()))


def _failing_key(values: Any, kind: type[Any], table: dict[str, Any], message: str, *, strict: bool) -> str:
    """Which entry of a table is wrong, which msgspec does not say: the one without which its message changes."""
    entries = dict(table)
    for key in entries:
        del table[key]
        try:
            converted(values, kind, strict=strict)
        except msgspec.ValidationError as error:
            if str(error) == message:
                continue
        break
    table[key] = entries[key]
    return key
