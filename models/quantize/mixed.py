"""Mixed precision: some products in INT8, the others as they are; by default the feed-forward layers and the vocabulary in INT8.

A YAML file (``--config``) sets other rules::

    products: dynamic          # how the INT8 ones are quantized
    rules:                     # the first that matches decides; what no rule matches stays in FP32
      - pattern: "*/encoders.0/*"
        precision: fp32
        why: the first block sees the widest range of inputs
      - pattern: "*/feed_forward/*"
        operators: [MatMul]
        precision: int8
    vad_rules:
      - pattern: "*"
        operators: [MatMul]
        precision: int8

Patterns are matched against node names as a shell matches file names.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import onnx

from models.bundle.variants import Source
from models.quantize import dynamic
from models.quantize.rules import (
    ATTENTION_IN_FLOAT,
    CONVOLUTION_IN_INT8,
    FEED_FORWARD_IN_INT8,
    VAD_IN_INT8,
    VOCABULARY_IN_INT8,
    WEIGHT_OPERATORS,
    NodePrecision,
    NodeRule,
    choose,
)
from models.quantize.settings import RecipeOptions

log = logging.getLogger(__name__)


class MixedOptions(RecipeOptions, frozen=True):
    """Rules for the ASR and the VAD graph; the first that matches a product decides."""

    #: How the INT8 ones are quantized.
    products: Literal["dynamic"] = "dynamic"
    rules: tuple[NodeRule, ...] = (ATTENTION_IN_FLOAT, FEED_FORWARD_IN_INT8, VOCABULARY_IN_INT8)
    vad_rules: tuple[NodeRule, ...] = (VAD_IN_INT8,)


def write(source: Source, folder: Path, variant: str, *, options: MixedOptions, conv: bool = False) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; the record counts what went where.

    With ``conv`` the convolutions that no rule names are INT8 too.
    """
    record: dict[str, Any] = {"recipe": "mixed"}
    convolutions = (CONVOLUTION_IN_INT8,) if conv else ()
    for model, graph, rules, external in (("asr", source.asr, options.rules, True), ("vad", source.vad, options.vad_rules, False)):
        counts = quantize(graph, folder / f"{model}.{variant}.onnx", (*rules, *convolutions), external=external)
        log.info("%s: %s", model, ", ".join(f"{count} products in {name}" for name, count in counts.items()))
        record[model] = counts
    return record


def quantize(source: Path, target: Path, rules: Sequence[NodeRule], *, external: bool, recipe: str = "mixed") -> dict[str, int]:
    """Write the mixed version of an FP32 graph: -> how many products have which precision."""
    chosen = choose(onnx.load(str(source), load_external_data=False).graph, rules)
    integer = {name for name, precision in chosen.items() if precision is NodePrecision.INT8}
    dynamic.quantize(source, target, external=external, operators=WEIGHT_OPERATORS, keep_float=sorted(set(chosen) - integer), recipe=recipe)
    return {str(precision): sum(value is precision for value in chosen.values()) for precision in NodePrecision}
