"""The attention of an exported graph as ONNX's own operator, which ONNX Runtime runs faster on a CPU than the one it brings along.

PyTorch's exporter writes opset 17, where attention is ``com.microsoft::MultiHeadAttention``. ``Attention`` came with opset 23; its
kernel reads the heads where they lie, and the other copies query, key and value first. SenseVoice-Small, one thread, a layer's attention:
58 → 44 µs for 3 s of audio, 358 → 317 for 10 s, 3.1 → 2.8 ms for 30 s.
"""

from __future__ import annotations

import onnx
from onnx import helper

from engine.errors import LightVoiceError

OPSET, IR_VERSION = 23, 10
#: Operators that an exported graph holds and that mean the same in opsets 17 and 23; what changed in between got more types, not more
#: meaning (https://onnx.ai/onnx/operators/).
_UNCHANGED = {
    *("Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Conv", "Div", "Equal", "Erf", "Expand", "Gather", "GatherElements"),
    *("Identity", "LayerNormalization", "Log", "MatMul", "Mul", "Relu", "Reshape", "Shape", "Slice", "Softmax", "Split", "Squeeze"),
    *("TopK", "Transpose", "Unsqueeze", "Where"),
}
_OPERANDS = 3


class AttentionGraphError(LightVoiceError):
    """A graph holds an operator that is not known to mean the same in the newer opset."""


def use_standard_attention(model: onnx.ModelProto) -> int:
    """Rewrite every unmasked ``MultiHeadAttention`` in place and declare opset 23: -> how many there were.

    A graph without any stays as it is. AttentionGraphError for a graph that holds other operators than our exports do.
    """
    attentions = [node for node in model.graph.node if node.op_type == "MultiHeadAttention"]
    if not attentions:
        return 0
    masked = [node.name for node in attentions if len(node.input) != _OPERANDS]
    unknown = sorted({node.op_type for node in model.graph.node} - _UNCHANGED - {"MultiHeadAttention"})
    if masked or unknown:
        raise AttentionGraphError(f"{[*masked, *unknown][0]} cannot be written in opset {OPSET}; leave the graph as it was exported")
    for node in attentions:
        heads = next(helper.get_attribute_value(attribute) for attribute in node.attribute if attribute.name == "num_heads")
        renewed = helper.make_node("Attention", node.input, node.output, name=node.name, q_num_heads=heads, kv_num_heads=heads)
        node.CopyFrom(renewed)
    # The shapes that the exporter knew end at the attention it did not know; without them everybody infers all.
    del model.opset_import[:], model.graph.value_info[:]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    model.ir_version = IR_VERSION
    return len(attentions)
