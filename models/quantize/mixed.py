"""Mixed precision: some products in INT8, the others as they are; by default the feed-forward layers and the vocabulary in INT8.

A YAML file says it differently::

    products: dynamic          # how the INT8 ones are quantized
    rules:                     # the first that matches decides; what no rule matches stays in FP32
      - pattern: "*/encoders.0/*"
        precision: fp32
        why: the first block hears the loudest differences
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import yaml

from engine.errors import first_line
from models.bundle.variants import Source
from models.quantize import dynamic
from models.quantize.rules import (
    ATTENTION_IN_FLOAT,
    CONVOLUTION_IN_FLOAT,
    CONVOLUTION_IN_INT8,
    FEED_FORWARD_IN_INT8,
    VAD_IN_INT8,
    VOCABULARY_IN_INT8,
    WEIGHT_OPERATORS,
    NodePrecision,
    NodeRule,
    RuleError,
    choose,
)

log = logging.getLogger(__name__)

_RULE_FIELDS = {"pattern", "precision", "operators", "why"}
_FIELDS = {"rules", "vad_rules", "products"}


@dataclass(frozen=True, kw_only=True)
class MixedOptions:
    """Rules for the ASR and the VAD graph; the first that matches a product decides."""

    asr: tuple[NodeRule, ...]
    vad: tuple[NodeRule, ...]


def default_options(*, conv: bool = False) -> MixedOptions:
    """Attention's projections in float, feed-forward and vocabulary in INT8; with ``conv`` the convolutions in INT8 too."""
    convolution = CONVOLUTION_IN_INT8 if conv else CONVOLUTION_IN_FLOAT
    return MixedOptions(
        asr=(ATTENTION_IN_FLOAT, FEED_FORWARD_IN_INT8, VOCABULARY_IN_INT8, convolution),
        vad=(VAD_IN_INT8, convolution),
    )


def read_options(path: Path, *, conv: bool = False) -> MixedOptions:
    """Rules out of a YAML file; RuleError names the line's field that cannot be understood."""
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RuleError(f"{path} cannot be read as YAML ({first_line(error)})") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("rules"), list):
        raise RuleError(f"{path} has no list `rules`; the docstring of models/quantize/mixed.py shows one")
    unknown = sorted(set(settings) - _FIELDS)
    if unknown:
        raise RuleError(f"{path}: {unknown[0]!r} is no setting; there are {', '.join(sorted(_FIELDS))}")
    if settings.get("products", "dynamic") != "dynamic":
        raise RuleError(f"{path}: products {settings['products']!r} is not dynamic, the one way a mixed graph is quantized")
    defaults = default_options(conv=conv)
    extra = (CONVOLUTION_IN_INT8,) if conv else ()
    asr = tuple(_rule(path, entry) for entry in settings["rules"])
    vad = tuple(_rule(path, entry) for entry in settings.get("vad_rules") or [])
    return MixedOptions(asr=asr + extra, vad=vad + extra if vad else defaults.vad)


def _rule(path: Path, entry: Any) -> NodeRule:
    if not isinstance(entry, dict) or not isinstance(entry.get("pattern"), str) or "precision" not in entry:
        raise RuleError(f"{path}: a rule needs pattern and precision, this one is {entry!r}")
    unknown = sorted(set(entry) - _RULE_FIELDS)
    if unknown:
        raise RuleError(f"{path}: {unknown[0]!r} is no field of a rule; there are {', '.join(sorted(_RULE_FIELDS))}")
    known = [str(precision) for precision in NodePrecision]
    if entry["precision"] not in known:
        raise RuleError(f"{path}: precision {entry['precision']!r} is none of {', '.join(known)}")
    operators = entry.get("operators", list(WEIGHT_OPERATORS))
    if not isinstance(operators, list) or not operators or not set(operators) <= set(WEIGHT_OPERATORS):
        raise RuleError(f"{path}: operators {operators!r} are not among {', '.join(WEIGHT_OPERATORS)}")
    return NodeRule(
        pattern=entry["pattern"], precision=NodePrecision(entry["precision"]), operators=tuple(operators), why=str(entry.get("why", ""))
    )


def write(source: Source, folder: Path, variant: str, *, options: MixedOptions) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; the record counts what went where."""
    record: dict[str, Any] = {"recipe": "mixed"}
    for model, graph, rules, external in (("asr", source.asr, options.asr, True), ("vad", source.vad, options.vad, False)):
        counts = quantize(graph, folder / f"{model}.{variant}.onnx", rules, external=external)
        log.info("%s: %s", model, ", ".join(f"{count} products in {name}" for name, count in counts.items()))
        record[model] = counts
    return record


def quantize(source: Path, target: Path, rules: Sequence[NodeRule], *, external: bool, recipe: str = "mixed") -> dict[str, int]:
    """Write the mixed version of an FP32 graph: -> how many products have which precision."""
    chosen = choose(onnx.load(str(source), load_external_data=False).graph, rules)
    integer = {name for name, precision in chosen.items() if precision is NodePrecision.INT8}
    dynamic.quantize(source, target, external=external, operators=WEIGHT_OPERATORS, keep_float=sorted(set(chosen) - integer), recipe=recipe)
    return {str(precision): sum(value is precision for value in chosen.values()) for precision in NodePrecision}
