"""A published SenseVoice's weights → our CPU graph: fused attention, no mask, memories as rows, vocabulary in pieces, answers inside.

The weights go from file to file one at a time and keep their values. Quantized ones are published unsigned; ``q - 128`` as int8 with the
zero point ``zp - 128`` is the same number, and the fast integer kernels take signed weights only (``models.quantize.dynamic``). The nodes
are named as those of :mod:`models.export.export`, so that recipes and rules find them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.speech.recognizer import PROMPT_POSITIONS
from models.export.cpu_graph.attention import IR_VERSION, OPSET
from models.export.cpu_graph.head import append_head, edges_of, float_product, piece_logits
from models.export.graph_file import EXTERNAL_BYTES
from models.export.lean.graph_source import GraphSource, mark_external
from models.export.lean.published_network import Block, Norm, Product, PublishedNetwork, UnmappedGraphError
from models.export.top_tokens import add_top_tokens

MAX_POSITIONS = 1024
#: Rows of the embedding table that stand for event and emotion, between language and text norm.
EVENT_EMOTION_ROWS = [1, 2]
#: The data file's weights begin at multiples of this, so that mapped floats are aligned.
_ALIGNMENT = 64
_NET, _ENCODER = "network", "network.encoder"


def write_lean_graph(
    source: GraphSource, network: PublishedNetwork, target: Path, *, tag_ids: Sequence[int], metadata: Mapping[str, str]
) -> int:
    """Write the CPU graph of a published one, weights in ``<target>.data``: -> its number of float weights and quantized weights.

    Raises UnmappedGraphError where the weights do not fit together.
    """
    data = target.with_name(target.name + ".data")
    with data.open("wb") as file:
        builder = _Builder(source, network, file, location=data.name)
        graph = builder.build(tag_ids)
    if data.stat().st_size == 0:
        data.unlink()
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)],
        ir_version=IR_VERSION,
        producer_name="lightvoice",
    )
    helper.set_model_props(model, {**metadata, "tag_token_ids": json.dumps(list(tag_ids))})
    add_top_tokens(model)
    target.write_bytes(model.SerializeToString())
    return builder.parameters


def signed(values: NDArray[Any]) -> NDArray[np.int8]:
    """uint8 -> int8, each value less 128; int8 as it is."""
    return np.asarray(values ^ np.uint8(0x80)).view(np.int8) if values.dtype == np.uint8 else np.asarray(values, np.int8)


def sinusoidal_positions(length: int, depth: int) -> NDArray[np.float32]:
    """The position table counted from 1, sines then cosines, (1, length, depth); as ``models.networks.sensevoice`` has it."""
    step = math.log(10000.0) / (depth / 2 - 1)
    inverse = np.exp(np.arange(depth // 2, dtype=np.float32) * np.float32(-step))
    angles = np.arange(1, length + 1, dtype=np.float32)[:, None] * inverse[None]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[None].astype(np.float32)


class _Builder:
    """The graph while it is written."""

    def __init__(self, source: GraphSource, network: PublishedNetwork, file: BinaryIO, *, location: str) -> None:
        self.source, self.network, self._file, self._location = source, network, file, location
        self.graph = onnx.GraphProto(name="lightvoice")
        self.parameters = 0
        self.size = self._dims(network.blocks[0].out.weight)[1]

    def build(self, tag_ids: Sequence[int]) -> onnx.GraphProto:
        x = self._front()
        for index, block in enumerate(self.network.blocks):
            x = self._block(block, f"encoders0.{index}" if index == 0 else f"encoders.{index - 1}", x)
        x = self._norm(self.network.after_norm, "after_norm", x)
        for index, block in enumerate(self.network.tp_blocks):
            x = self._block(block, f"tp_encoders.{index}", x)
        self._head(self._norm(self.network.tp_norm, "tp_norm", x), tag_ids)
        self._ports(len(tag_ids))
        return self.graph

    def _front(self) -> str:
        """Prompt and features, scaled, with their positions: -> (1, T + 4, F)."""
        table = self._float(self.network.embedding)
        features = table.shape[1]
        self._store(f"{_NET}.embed.weight", table, counted=True)
        self._store("prompt_middle", table[None, EVENT_EMOTION_ROWS])
        self._store("prompt_axis", np.array([1], np.int64))
        self._store("positions", sinusoidal_positions(MAX_POSITIONS, features))
        self._store("positions_first", np.array([0], np.int64))
        self._store("encoder_scale", np.array(self.size**0.5, np.float32))
        for number, name in enumerate(("language", "textnorm")):
            row = self._node("Gather", [f"{_NET}.embed.weight", name], f"/{_NET}/embed_{number}/Gather")
            self._node("Unsqueeze", [row, "prompt_axis"], f"/{_NET}/Unsqueeze_{number}")
        parts = [f"/{_NET}/Unsqueeze_0_output_0", "prompt_middle", f"/{_NET}/Unsqueeze_1_output_0", "speech"]
        x = self._node("Concat", parts, f"/{_NET}/Concat", axis=1)
        length = self._node("Shape", [x], "/network/encoder/Shape", start=1, end=2)
        rows = self._node("Slice", ["positions", "positions_first", length, "prompt_axis"], "/network/encoder/Slice")
        scaled = self._node("Mul", [x, "encoder_scale"], "/network/encoder/Mul")
        return self._node("Add", [scaled, rows], "/network/encoder/Add")

    def _block(self, block: Block, name: str, x: str) -> str:
        """One SAN-M block; where the width changes there is no residual around attention."""
        place, parameters = f"/network/encoder/{name}", f"{_ENCODER}.{name}"
        attention = f"{place}/self_attn"
        stacked = self._product(block.qkv, f"{name}.self_attn.linear_q_k_v", self._norm(block.norm1, f"{name}.norm1", x))
        self._store(f"{parameters}.split", np.full(3, self.size, np.int64))
        query, key, value = (f"{attention}/Split_output_{number}" for number in range(3))
        self.graph.node.append(
            helper.make_node("Split", [stacked, f"{parameters}.split"], [query, key, value], name=f"{attention}/Split", axis=-1)
        )
        heads = {"q_num_heads": self.network.heads, "kv_num_heads": self.network.heads}
        attended = self._node("Attention", [query, key, value], f"{attention}/MultiHeadAttention", **heads)
        memory = self._memory(block.memory, f"{name}.self_attn.fsmn_block", value)
        remembered = self._node("Add", [memory, value], f"{attention}/Add")
        out = self._node("Add", [self._product(block.out, f"{name}.self_attn.linear_out", attended), remembered], f"{attention}/Add_1")
        if self._dims(block.qkv.weight)[0] == self.size:
            out = self._node("Add", [x, out], f"{place}/Add")
        inner = self._product(block.w_1, f"{name}.feed_forward.w_1", self._norm(block.norm2, f"{name}.norm2", out))
        inner = self._node("Relu", [inner], f"{place}/feed_forward/Relu")
        return self._node("Add", [out, self._product(block.w_2, f"{name}.feed_forward.w_2", inner)], f"{place}/Add_1")

    def _norm(self, norm: Norm, name: str, x: str) -> str:
        for kind, stored in (("weight", norm.weight), ("bias", norm.bias)):
            self._store(f"{_ENCODER}.{name}.{kind}", self._float(stored), counted=True)
        inputs = [x, f"{_ENCODER}.{name}.weight", f"{_ENCODER}.{name}.bias"]
        place = f"/network/encoder/{name.replace('.norm', '/norm')}/LayerNormalization"
        return self._node("LayerNormalization", inputs, place, axis=-1, epsilon=norm.epsilon)

    def _memory(self, weight: str, name: str, value: str) -> str:
        """The FSMN memory of the values as a row, as ``models.export.cpu_graph.memory`` writes it."""
        taps = self._float(weight).reshape(self.size, 1, 1, -1)
        kernel = taps.shape[-1]
        self._store(f"{_ENCODER}.{name}.weight", taps, counted=True)
        conv = f"/network/encoder/{name.replace('.self_attn.', '/self_attn/')}/Conv"
        row = self._node("Unsqueeze", [value, "prompt_axis"], f"{conv}/row")
        channels = self._node("Transpose", [row], f"{conv}/channels", perm=[0, 3, 1, 2])
        pads = [0, (kernel - 1) // 2, 0, kernel - 1 - (kernel - 1) // 2]
        options = {"group": self.size, "kernel_shape": [1, kernel], "strides": [1, 1], "dilations": [1, 1], "pads": pads}
        convolved = self._node("Conv", [channels, f"{_ENCODER}.{name}.weight"], conv, **options)
        frames = self._node("Transpose", [convolved], f"{conv}/frames", perm=[0, 2, 3, 1])
        return self._node("Squeeze", [frames, "prompt_axis"], f"{conv}/squeezed")

    def _product(self, product: Product, name: str, x: str) -> str:
        """A product and its bias: -> (1, T, out)."""
        parameter = f"{_ENCODER}.{name}"
        place = f"/network/encoder/{name.replace('.self_attn.', '/self_attn/').replace('.feed_forward.', '/feed_forward/')}"
        if product.bias is None:
            raise UnmappedGraphError(f"{self.source.path}: the layer {name} has no bias")
        self._store(f"{parameter}.bias", self._float(product.bias), counted=True)
        if not product.is_integer:
            self._store(f"{parameter}.weight", self._float(product.weight), counted=True)
            multiplied = self._node("MatMul", [x, f"{parameter}.weight"], f"{place}/MatMul")
            return self._node("Add", [f"{parameter}.bias", multiplied], f"{place}/Add")
        weight = self.source.array(product.weight)
        self.parameters += weight.size
        scale, zero_point = self._scales(product)
        node = self._quantized(x, parameter, weight, scale, zero_point, output=f"{place}/Add_output_0", name=f"{place}/MatMul")
        self.graph.node.append(node)
        return str(node.output[0])

    def _scales(self, product: Product) -> tuple[NDArray[Any], NDArray[Any]]:
        """Scale and signed zero point of a quantized weight: of the tensor, or of each column."""
        scale = self.source.array(str(product.scale))
        weight_type = self.source.stored[product.weight].data_type
        if product.zero_point is not None:
            return scale, signed(self.source.array(product.zero_point))
        return scale, np.full(scale.shape, -128 if weight_type == TensorProto.UINT8 else 0, np.int8)

    def _quantized(
        self,
        x: str,
        parameter: str,
        weight: NDArray[Any],
        scale: NDArray[Any],
        zero_point: NDArray[Any],
        *,
        output: str,
        name: str,
    ) -> onnx.NodeProto:
        self._store(f"{parameter}.weight_quantized", signed(weight))
        self._store(f"{parameter}.weight_scale", scale)
        self._store(f"{parameter}.weight_zero_point", zero_point)
        parts = [f"{parameter}.{part}" for part in ("weight_quantized", "weight_scale", "weight_zero_point", "bias")]
        return helper.make_node("DynamicQuantizeMatMul", [x, *parts], [output], name=name, domain="com.microsoft")

    def _head(self, x: str, tag_ids: Sequence[int]) -> None:
        """The vocabulary's layer in pieces, and the answers."""
        head, layer = self.network.head, f"{_NET}.ctc.ctc_lo"
        if head.bias is None:
            raise UnmappedGraphError(f"{self.source.path}: the vocabulary's layer has no bias")
        weight, bias = self.source.array(head.weight), self._float(head.bias)
        self.parameters += weight.size
        edges = edges_of(len(bias))
        products: list[onnx.NodeProto] = []
        for index, (start, stop) in enumerate(pairwise(edges)):
            part = np.ascontiguousarray(weight[:, start:stop])
            self._store(f"{layer}.{index}.bias", bias[start:stop], counted=True)
            if not head.is_integer:
                self._store(f"{layer}.{index}.weight", part)
                products += float_product(x, index)
                continue
            scale, zero_point = (values[start:stop] if values.size > 1 else values for values in self._scales(head))
            name = f"/network/ctc/ctc_lo/{index}/MatMul"
            products.append(self._quantized(x, f"{layer}.{index}", part, scale, zero_point, output=piece_logits(index), name=name))
        append_head(self.graph, products, edges=edges, tag_ids=tag_ids)

    def _ports(self, tags: int) -> None:
        features = self._dims(self.network.embedding)[1]
        value = helper.make_tensor_value_info
        self.graph.input.append(value("speech", TensorProto.FLOAT, [1, "frames", features]))
        self.graph.input.extend(value(name, TensorProto.INT32, [1]) for name in ("language", "textnorm"))
        self.graph.output.append(value("token_ids", TensorProto.INT32, [1, "positions"]))
        self.graph.output.append(value("log_probs", TensorProto.FLOAT, [1, "positions"]))
        self.graph.output.append(value("tag_probs", TensorProto.FLOAT, [1, PROMPT_POSITIONS, tags]))

    def _node(self, operator: str, inputs: Sequence[str], name: str, **options: Any) -> str:
        """Append a node: -> the name of its output."""
        output = f"{name}_output_0"
        self.graph.node.append(helper.make_node(operator, inputs, [output], name=name, **options))
        return output

    def _dims(self, name: str) -> Sequence[int]:
        return list(self.source.stored[name].dims)

    def _float(self, name: str) -> NDArray[np.float32]:
        return np.asarray(self.source.array(name), np.float32)

    def _store(self, name: str, value: NDArray[Any], *, counted: bool = False) -> None:
        """A weight: in the data file if it is large, in the graph if not."""
        self.parameters += value.size if counted else 0
        if value.nbytes < EXTERNAL_BYTES:
            self.graph.initializer.append(numpy_helper.from_array(value, name))
            return
        offset = -(-self._file.tell() // _ALIGNMENT) * _ALIGNMENT
        self._file.seek(offset)
        self._file.write(np.ascontiguousarray(value).data)
        tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(value.dtype), dims=value.shape)
        mark_external(tensor, location=self._location, offset=offset, size=value.nbytes)
        self.graph.initializer.append(tensor)
