"""Which products of a graph a recipe may turn into integers, by name.

A *weight product* is a MatMul with a stored weight. Q·Kᵀ and A·V are none: both factors are activations, and they live inside
one fused attention operator, which stays in float. Names are the network's own: ``/network/encoder/encoders.7/self_attn/…``.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
import onnx

from engine.errors import LightVoiceError

WEIGHT_OPERATORS: Final = ("MatMul", "Conv")
_BLOCK = re.compile(r"/(?:encoder/)?((?:encoders0|encoders|tp_encoders|fsmn)\.\d+)/")


class RuleError(LightVoiceError):
    """A rule that names nothing."""


class NodePrecision(StrEnum):
    """What a rule can ask of a product."""

    INT8 = "int8"
    FP32 = "fp32"


class NodeRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Products whose name matches ``pattern`` (as in a shell) and whose operator is among ``operators`` get ``precision``."""

    pattern: str
    precision: NodePrecision
    operators: Annotated[tuple[Literal["MatMul", "Conv"], ...], msgspec.Meta(min_length=1)] = WEIGHT_OPERATORS
    why: str = ""

    def matches(self, node: onnx.NodeProto) -> bool:
        """Whether the rule speaks about this node."""
        return node.op_type in self.operators and fnmatch.fnmatchcase(node.name, self.pattern)


ATTENTION_IN_FLOAT = NodeRule(
    pattern="*/self_attn/linear_*",
    precision=NodePrecision.FP32,
    operators=("MatMul",),
    why="the projections around attention carry the outliers: a coarse step there moves every frame that attends to them",
)
FEED_FORWARD_IN_INT8 = NodeRule(
    pattern="*/feed_forward/*",
    precision=NodePrecision.INT8,
    operators=("MatMul",),
    why="two thirds of the weights, behind a norm or a ReLU, and their inner values go nowhere else",
)
VOCABULARY_IN_INT8 = NodeRule(
    pattern="*/ctc/ctc_lo/*",
    precision=NodePrecision.INT8,
    operators=("MatMul",),
    why="the largest single product; its answer is compared, not computed with",
)
VAD_IN_INT8 = NodeRule(
    pattern="/network/*linear*",
    precision=NodePrecision.INT8,
    operators=("MatMul",),
    why="FSMN-VAD has no attention to protect",
)
#: Without it they stay in float: a depthwise convolution of 11 taps costs 0.19 ms there, and 1.40 ms as ConvInteger.
CONVOLUTION_IN_INT8 = NodeRule(pattern="*", precision=NodePrecision.INT8, operators=("Conv",), why="asked for with --conv")


def weight_products(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The MatMul and Conv nodes of a float graph that multiply with a stored weight, in order."""
    stored = {tensor.name for tensor in graph.initializer}
    return [node for node in graph.node if node.op_type in WEIGHT_OPERATORS and node.input[1] in stored]


def choose(graph: onnx.GraphProto, rules: Sequence[NodeRule]) -> dict[str, NodePrecision]:
    """The precision of every weight product: the first rule that matches decides, and a product without a rule stays in float.

    RuleError for a product without a name, and for rules that reach nothing.
    """
    products = weight_products(graph)
    if any(not node.name for node in products):
        raise RuleError("the graph's nodes have no names; write it again with `python -m models export`")
    chosen = {node.name: next((rule.precision for rule in rules if rule.matches(node)), NodePrecision.FP32) for node in products}
    if NodePrecision.INT8 not in chosen.values():
        patterns = ", ".join(rule.pattern for rule in rules) or "none"
        raise RuleError(f"no product of the graph would be INT8 (patterns: {patterns}); look at the node names in the file")
    return chosen


def block_of(name: str) -> str:
    """The block that a node belongs to (``encoders.7``), or its own layer (``ctc_lo``, ``in_linear1``) outside of blocks."""
    found = _BLOCK.search(name)
    if found:
        return found.group(1)
    parts = [part for part in name.split("/") if part and part not in ("network", "encoder", "ctc", "linear")]
    return parts[0] if parts else name
