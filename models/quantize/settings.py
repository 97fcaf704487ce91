"""The settings of a recipe (``--config FILE.yaml``), read strictly: an unknown setting is an error, never ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import yaml

from engine.errors import LightVoiceError, first_line
from engine.files.typed_values import typed

Count = Annotated[int, msgspec.Meta(ge=1)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
Options = TypeVar("Options", bound="RecipeOptions")


class SettingsError(LightVoiceError):
    """A configuration file holds a setting that the recipe does not have, or a value that does not fit."""


class RecipeOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set of a recipe: the fields of its class, each with its default. A recipe without settings has none."""


def read_settings(path: Path | None, kind: type[Options]) -> Options:
    """The options of a recipe out of a YAML file, the defaults where none was named; SettingsError names what does not fit."""
    if path is None:
        return kind()
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path} cannot be read as YAML ({first_line(error)})") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} is no YAML mapping; write `name: value` lines")
    try:
        return typed(values, kind, strict=False)  # YAML takes 3e-6 for a text
    except ValueError as error:
        known = ", ".join(kind.__struct_fields__) or "no setting"
        raise SettingsError(f"{path}: {error}; the recipe knows {known}") from error
