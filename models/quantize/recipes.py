"""The recipes: what ``python -m models quantize BUNDLE --recipe NAME`` runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.bundle import Bundle
from models.bundle.variants import Recipe, add_variant
from models.evaluate.datasets import Purpose
from models.quantize import auto, dynamic, fp16, mixed, qat, static
from models.quantize.calibration import TUNING_CLIPS, CalibrationSet
from models.quantize.recipe_names import RecipeName
from models.quantize.settings import RecipeOptions, read_settings


@dataclass(frozen=True, kw_only=True)
class QuantizeOptions:
    """One variant to make: the options of the command line and of the page."""

    bundle: Path
    recipe: RecipeName
    config: Path | None = None
    data: Path | None = None
    clips: int | None = None
    max_trials: int | None = None
    conv: bool = False
    as_default: bool = False

    @property
    def variant(self) -> str:
        """The variant it adds; with ``as_default`` it is ``int8``, the one lightweight mode uses."""
        return RecipeName.DYNAMIC.variant if self.as_default else self.recipe.variant

    def calibration(self, count: int) -> CalibrationSet:
        """Clips to measure ranges on, under all conditions."""
        return CalibrationSet.build(Bundle.load(self.bundle), self.data, count=self.clips or count)

    def tuning(self, count: int) -> CalibrationSet:
        """Clips to judge a graph on, each once and as it is."""
        return CalibrationSet.build(Bundle.load(self.bundle), self.data, count=self.clips or count, purpose=Purpose.TUNING, varied=False)


def run(asked: QuantizeOptions) -> dict[str, Any]:
    """Add the variant of a recipe to a bundle: -> the recipe's record.

    Raises SettingsError, the errors of the recipe and of :func:`models.bundle.variants.add_variant`; the bundle then stays as it was.
    """
    return add_variant(asked.bundle, asked.variant, _RECIPES[asked.recipe](asked))


def _dynamic(asked: QuantizeOptions) -> Recipe:
    read_settings(asked.config, RecipeOptions)
    return dynamic.write


def _static(asked: QuantizeOptions) -> Recipe:
    options = read_settings(asked.config, static.StaticOptions)
    return partial(static.write, clips=asked.calibration(options.clips), options=options)


def _mixed(asked: QuantizeOptions) -> Recipe:
    return partial(mixed.write, options=read_settings(asked.config, mixed.MixedOptions), conv=asked.conv)


def _auto(asked: QuantizeOptions) -> Recipe:
    options = read_settings(asked.config, auto.AutoOptions)
    options = replace(options, max_trials=asked.max_trials or options.max_trials)
    trials = auto.trial_log_path(asked.bundle.resolve(), RecipeName.AUTO.variant)
    tuning, clips = asked.tuning(options.clips), asked.calibration(options.clips)
    return partial(auto.write, clips=clips, tuning=tuning, options=options, trials=trials)


def _qat(asked: QuantizeOptions) -> Recipe:
    options = read_settings(asked.config, qat.QatOptions)
    tuning = asked.tuning(min(options.clips, TUNING_CLIPS))
    return partial(qat.write, clips=asked.calibration(options.clips), tuning=tuning, options=options)


def _fp16(asked: QuantizeOptions) -> Recipe:
    return partial(fp16.write, clips=asked.calibration(read_settings(asked.config, fp16.Fp16Options).clips))


_RECIPES: dict[RecipeName, Callable[[QuantizeOptions], Recipe]] = {
    RecipeName.DYNAMIC: _dynamic,
    RecipeName.STATIC: _static,
    RecipeName.MIXED: _mixed,
    RecipeName.AUTO: _auto,
    RecipeName.QAT: _qat,
    RecipeName.FP16: _fp16,
}
