"""What ``--config FILE.yaml`` may say about each recipe, read strictly: a word that means nothing is an error, never ignored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from engine.errors import LightVoiceError, first_line
from models.quantize.auto import AutoOptions, Products
from models.quantize.qat import QatOptions
from models.quantize.ranges import CalibrationMethod
from models.quantize.search import Budget, Metric, Tolerance
from models.quantize.static import StaticOptions


class SettingsError(LightVoiceError):
    """A configuration file says something that the recipe does not understand."""


@dataclass(frozen=True)
class Settings:
    """The fields of one YAML file; an empty one where none was named."""

    path: Path | None
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path | None) -> Settings:
        """Read a YAML mapping; SettingsError where it is none."""
        if path is None:
            return cls(None, {})
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise SettingsError(f"{path} cannot be read as YAML ({first_line(error)})") from error
        if not isinstance(values, dict):
            raise SettingsError(f"{path} is no YAML mapping; write `name: value` lines")
        return cls(path, values)

    def only(self, *names: str) -> None:
        """SettingsError for a field that the recipe does not know."""
        unknown = sorted(str(name) for name in self.values if name not in names)
        if unknown:
            raise SettingsError(f"{self.path}: {unknown[0]!r} is no setting of this recipe; it knows {', '.join(names)}")

    def get(self, name: str, read: Callable[[Any], Any], default: Any) -> Any:
        """One field, converted; SettingsError names the value that does not fit."""
        if name not in self.values:
            return default
        try:
            return read(self.values[name])
        except (TypeError, ValueError) as error:
            raise SettingsError(f"{self.path}: {name} {self.values[name]!r} does not fit ({error})") from error


def clip_count(settings: Settings, default: int) -> int:
    """How many clips to listen to."""
    return int(settings.get("clips", int, default))


def static_options(settings: Settings) -> StaticOptions:
    """``method`` (minmax, entropy, percentile), ``percentile``, ``clips``."""
    settings.only("method", "percentile", "clips")
    fallback = StaticOptions()
    return StaticOptions(
        method=settings.get("method", CalibrationMethod, fallback.method), percentile=settings.get("percentile", float, fallback.percentile)
    )


def auto_options(settings: Settings) -> AutoOptions:
    """``metric``, ``limit``, ``tolerance``, ``max_trials``, ``timeout_s``, ``products`` (dynamic, static), ``seed``, ``clips``."""
    settings.only("metric", "limit", "tolerance", "max_trials", "timeout_s", "products", "seed", "clips")
    fallback, budget = AutoOptions(), Budget()
    return AutoOptions(
        metric=settings.get("metric", Metric, None),
        limit=settings.get("limit", float, None),
        tolerance=settings.get("tolerance", Tolerance, fallback.tolerance),
        budget=Budget(
            max_trials=settings.get("max_trials", int, budget.max_trials), timeout_s=settings.get("timeout_s", float, budget.timeout_s)
        ),
        products=settings.get("products", Products, fallback.products),
        seed=settings.get("seed", int, fallback.seed),
    )


def qat_options(settings: Settings) -> QatOptions:
    """``rounds``, ``learning_rate``, ``timeout_s``, ``seed``, ``clips``."""
    settings.only("rounds", "learning_rate", "timeout_s", "seed", "clips")
    fallback = QatOptions()
    return QatOptions(
        rounds=settings.get("rounds", int, fallback.rounds),
        learning_rate=settings.get("learning_rate", float, fallback.learning_rate),
        timeout_s=settings.get("timeout_s", float, fallback.timeout_s),
        seed=settings.get("seed", int, fallback.seed),
    )
