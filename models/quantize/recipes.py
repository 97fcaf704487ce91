"""The recipes by name: what ``python -m models quantize BUNDLE --recipe NAME`` runs, and which variant each adds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from engine.bundle import Bundle
from models.bundle.variants import Recipe, add_variant
from models.evaluate.datasets import Purpose
from models.quantize import auto, dynamic, fp16, mixed, qat, settings, static
from models.quantize.calibration import DEFAULT_CLIPS, CalibrationSet

TUNING_CLIPS = 100
QAT_CLIPS = 160


class RecipeName(StrEnum):
    """The ways to make a bundle smaller."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    MIXED = "mixed"
    AUTO = "auto"
    QAT = "qat"
    FP16 = "fp16"


#: ``int8`` is what lightweight mode uses; every other recipe stands beside it.
VARIANTS = {
    RecipeName.DYNAMIC: "int8",
    RecipeName.STATIC: "int8-static",
    RecipeName.MIXED: "int8-mixed",
    RecipeName.AUTO: "int8-auto",
    RecipeName.QAT: "int8-qat",
    RecipeName.FP16: "fp16",
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a person asked for on the command line or the page."""

    bundle: Path
    recipe: RecipeName
    config: Path | None = None
    data: Path | None = None
    clips: int | None = None
    max_trials: int | None = None
    conv: bool = False
    as_default: bool = False


def run(order: Order) -> dict[str, Any]:
    """Add the variant of a recipe to a bundle: -> the recipe's record.

    ``as_default`` writes it as ``int8``, the variant of lightweight mode. Raises the errors of the recipe, of
    :class:`models.quantize.settings.Settings` and of :func:`models.bundle.variants.add_variant`; the bundle then stays as it was.
    """
    recipe = _RECIPES[order.recipe](order)
    return add_variant(order.bundle, "int8" if order.as_default else VARIANTS[order.recipe], recipe)


def _clips(order: Order, chosen: settings.Settings, default: int, purpose: Purpose = Purpose.CALIBRATION) -> CalibrationSet:
    count = order.clips or settings.clip_count(chosen, default)
    bundle = Bundle.load(order.bundle)
    return CalibrationSet.build(bundle, order.data, count=count, purpose=purpose, varied=purpose is Purpose.CALIBRATION)


def _dynamic(order: Order) -> Recipe:
    settings.Settings.read(order.config).only()
    return dynamic.write


def _static(order: Order) -> Recipe:
    chosen = settings.Settings.read(order.config)
    options, clips = settings.static_options(chosen), _clips(order, chosen, DEFAULT_CLIPS)
    return lambda source, folder, variant: static.write(source, folder, variant, clips=clips, options=options)


def _mixed(order: Order) -> Recipe:
    options = mixed.read_options(order.config, conv=order.conv) if order.config else mixed.default_options(conv=order.conv)
    return lambda source, folder, variant: mixed.write(source, folder, variant, options=options)


def _auto(order: Order) -> Recipe:
    chosen = settings.Settings.read(order.config)
    options = settings.auto_options(chosen)
    if order.max_trials is not None:
        options = replace(options, budget=replace(options.budget, max_trials=order.max_trials))
    tuning, clips = _clips(order, chosen, TUNING_CLIPS, Purpose.TUNING), _clips(order, chosen, TUNING_CLIPS)
    trials = auto.trial_log_path(order.bundle.resolve(), VARIANTS[RecipeName.AUTO])
    return lambda source, folder, variant: auto.write(source, folder, variant, clips=clips, tuning=tuning, options=options, trials=trials)


def _qat(order: Order) -> Recipe:
    chosen = settings.Settings.read(order.config)
    options = settings.qat_options(chosen)
    clips, tuning = _clips(order, chosen, QAT_CLIPS), _clips(order, chosen, TUNING_CLIPS, Purpose.TUNING)
    return lambda source, folder, variant: qat.write(source, folder, variant, clips=clips, tuning=tuning, options=options)


def _fp16(order: Order) -> Recipe:
    chosen = settings.Settings.read(order.config)
    chosen.only("clips")
    clips = _clips(order, chosen, fp16.CHECK_CLIPS)
    return lambda source, folder, variant: fp16.write(source, folder, variant, clips=clips)


_RECIPES: dict[RecipeName, Callable[[Order], Recipe]] = {
    RecipeName.DYNAMIC: _dynamic,
    RecipeName.STATIC: _static,
    RecipeName.MIXED: _mixed,
    RecipeName.AUTO: _auto,
    RecipeName.QAT: _qat,
    RecipeName.FP16: _fp16,
}
