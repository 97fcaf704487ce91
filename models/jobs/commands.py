"""The commands that a page may ask for, as checked arguments of ``python -m models``: a value never becomes an option."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.errors import OptionError

SOURCES = ("modelscope", "huggingface")
RECIPES = ("dynamic", "static", "mixed", "auto", "qat", "fp16")


class WorkshopArgumentError(OptionError):
    """A value that cannot be handed to a command."""

    def __init__(self, *, name: str, value: object, wanted: str) -> None:
        super().__init__(f"{name} is {value!r}; give {wanted}")


@dataclass(frozen=True, kw_only=True)
class WorkshopCommand:
    """The arguments of one ``python -m models`` command, checked, and where its result will lie if that is known before it runs."""

    arguments: tuple[str, ...]
    result: Path | None = None

    @classmethod
    def fetch(cls, name: str, *, source: str | None = None, output: Path | str | None = None) -> Self:
        """Download a known bundle by name."""
        arguments = ["fetch", _plain("name", name)]
        if source is not None:
            arguments += ["--source", _choice("source", source, SOURCES)]
        if output is None:
            return cls(arguments=tuple(arguments))
        return cls(arguments=(*arguments, "--output", _path("output", output)), result=Path(_path("output", output)))

    @classmethod
    def import_folder(cls, folder: Path | str, output: Path | str, *, name: str | None = None) -> Self:
        """A folder of weights in any layout that is known -> bundle."""
        target = _path("output", output)
        named = () if name is None else ("--name", _plain("name", name))
        return cls(arguments=("import", _path("folder", folder), "--output", target, *named), result=Path(target))

    @classmethod
    def quantize(
        cls,
        bundle: Path | str,
        *,
        recipe: str = "dynamic",
        clips: int | None = None,
        max_trials: int | None = None,
        as_default: bool = False,
        output: Path | str | None = None,
    ) -> Self:
        """Add a variant to a bundle, or to a copy of it at ``output``; ``as_default`` makes it lightweight mode's own."""
        folder = _path("bundle", bundle)
        arguments = ["quantize", folder, "--recipe", _choice("recipe", recipe, RECIPES)]
        for option, value in (("--clips", clips), ("--max-trials", max_trials)):
            if value is not None:
                arguments += [option, _count(option, value)]
        if as_default:
            arguments.append("--as-default")
        return cls._adding(arguments, folder, output)

    @classmethod
    def prune(cls, bundle: Path | str, *, amount: float = 0.1, then_quantize: bool = False, output: Path | str | None = None) -> Self:
        """Add a pruned variant to a bundle, or to a copy of it; ``amount`` is the share of weights set to zero."""
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount < 1:
            raise WorkshopArgumentError(name="amount", value=amount, wanted="a share between 0 and 1, such as 0.1")
        folder = _path("bundle", bundle)
        options = ["--then-quantize"] if then_quantize else []
        return cls._adding(["prune", folder, "--amount", f"{amount:g}", *options], folder, output)

    @classmethod
    def _adding(cls, arguments: list[str], folder: str, output: Path | str | None) -> Self:
        if output is None:
            return cls(arguments=tuple(arguments), result=Path(folder))
        target = _path("output", output)
        return cls(arguments=(*arguments, "--output", target), result=Path(target))


def _plain(name: str, value: str) -> str:
    """A value that the command will take for a value: no option, no line break."""
    control = any(unicodedata.category(character) == "Cc" for character in value)
    if not value.strip() or value.startswith("-") or control:
        raise WorkshopArgumentError(name=name, value=value, wanted="a value that does not begin with '-' and holds no control characters")
    return value


def _count(name: str, value: int) -> str:
    """A number from 1 up, as an argument; the page's number boxes hand over whole floats."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value < math.inf or value != int(value):
        raise WorkshopArgumentError(name=name, value=value, wanted="a whole number from 1 up")
    return str(int(value))


def _path(name: str, value: Path | str) -> str:
    return str(Path(_plain(name, str(value))).expanduser().absolute())


def _choice(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise WorkshopArgumentError(name=name, value=value, wanted=f"one of {', '.join(known)}")
    return value
