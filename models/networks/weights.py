"""An FP32 graph → the network it was exported from: how QAT and pruning get at weights that exist as ONNX alone.

PyTorch's exporter transposes the weight of a linear layer and gives it a number for a name, but the bias keeps its own:
``MatMul(x, onnx::MatMul_375) + encoder.….linear_q_k_v.bias`` tells that the number is ``encoder.….linear_q_k_v.weight``.
Layers without a bias are matched in the order in which the graph runs them. The vocabulary's layer may lie there in pieces
(models/export/cpu_graph/head.py), which are put together again.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from engine.errors import first_line
from models.export.cpu_graph.head import LAYER as HEAD
from models.export.graph_file import ExportError
from models.export.half_storage import widen
from models.networks.fsmn_vad import FsmnVad, FsmnVadConfig
from models.networks.sensevoice import SenseVoice, SenseVoiceConfig

_BLOCK = re.compile(r"^encoder\.(encoders|tp_encoders)\.(\d+)\.")
_MEMORY = re.compile(r"^fsmn\.(\d+)\.")
#: Where an attention operator says how many heads it has; ONNX Runtime's own is in graphs written before 2026-11-21.
_HEADS = {"Attention": "q_num_heads", "MultiHeadAttention": "num_heads"}


def _load(path: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError shares no base with anything but Exception
        raise ExportError(f"{path} cannot be read as an ONNX graph ({first_line(error)[:120]}); write it again") from error
    widen(model)
    return model


def read_weights(path: Path, *, prefix: str) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The weights of a graph by parameter name (``prefix`` taken off), and those of layers without a bias, in order.

    Linear weights come back in PyTorch's layout, (out, in). ExportError where the file is no ONNX graph.
    """
    graph = _load(path).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    # Equal tensors (norms that nobody trained) are stored once; the others are copies of it by name.
    values |= {node.output[0]: values[node.input[0]] for node in graph.node if node.op_type == "Identity" and node.input[0] in values}
    named = {name.removeprefix(prefix): _tensor(value) for name, value in values.items() if not name.startswith("onnx::")}
    biases: dict[str, str] = {}
    for node in graph.node:
        own = [name for name in node.input if name in values and name.endswith(".bias")]
        if node.op_type == "Add" and own:
            biases |= {name: own[0] for name in node.input if name not in own}
    unnamed = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in values:
            weight = _tensor(values[node.input[1]].T)
            bias = biases.get(node.output[0])
            if bias is None:
                unnamed.append(weight)
            else:
                named[bias.removeprefix(prefix).removesuffix(".bias") + ".weight"] = weight
    _join_pieces(named)
    for name, value in named.items():
        if name.endswith("self_attn.fsmn_block.weight") and value.dim() == 4:
            named[name] = value.flatten(start_dim=2)
    return named, unnamed


def _join_pieces(named: dict[str, Tensor]) -> None:
    """Put ``ctc.ctc_lo.0.weight``, ``….1.weight``, … together to ``ctc.ctc_lo.weight``, and the biases alike, in place."""
    for kind in ("weight", "bias"):
        pieces: list[Tensor] = []
        while (piece := named.pop(f"{HEAD}.{len(pieces)}.{kind}", None)) is not None:
            pieces.append(piece)
        if pieces:
            named[f"{HEAD}.{kind}"] = torch.cat(pieces)


def _tensor(value: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(value))  # a copy: the array may be a read-only view


def _fill(network: nn.Module, named: dict[str, Tensor], unnamed: list[Tensor], path: Path) -> None:
    expected = network.state_dict()
    bare = [f"{name}.weight" for name, module in network.named_modules() if isinstance(module, nn.Linear) and module.bias is None]
    named = named | dict(zip(bare, unnamed, strict=False))
    missing = [name for name in expected if name not in named]
    if missing:
        raise ExportError(f"{path} lacks {len(missing)} of the network's weights, the first is {missing[0]}; it is another kind of graph")
    for name, value in expected.items():
        if named[name].shape != value.shape:
            raise ExportError(f"{path}: {name} has the shape {tuple(named[name].shape)} where {tuple(value.shape)} belongs")
    network.load_state_dict({name: named[name] for name in expected})


def fsmn_vad_of(path: Path) -> FsmnVad:
    """The FSMN-VAD network of an FP32 graph: one of ours, or FunASR's own ``model.onnx``; ExportError if it is neither."""
    prefix = "network." if any("network." in tensor.name for tensor in _load(path).graph.initializer) else "encoder."
    named, unnamed = read_weights(path, prefix=prefix)
    layers = 1 + max((int(found.group(1)) for found in map(_MEMORY.match, named) if found), default=-1)
    try:
        first, memory = named["in_linear1.linear.weight"], named["fsmn.0.fsmn_block.conv_left.weight"]
        config = FsmnVadConfig(
            input_dim=first.shape[1],
            input_affine_dim=first.shape[0],
            fsmn_layers=layers,
            linear_dim=named["in_linear2.linear.weight"].shape[0],
            proj_dim=memory.shape[0],
            lorder=memory.shape[2],
            output_affine_dim=named["out_linear1.linear.weight"].shape[0],
            output_dim=named["out_linear2.linear.weight"].shape[0],
        )
    except KeyError as error:
        raise ExportError(f"{path} has no weight {error.args[0]}; it is no FSMN-VAD graph in FP32") from error
    network = FsmnVad(config)
    _fill(network, named, unnamed, path)
    return network.eval()


def sensevoice_of(path: Path) -> SenseVoice:
    """The SenseVoice network of an FP32 graph that ``models.export.export`` wrote; ExportError if it is none."""
    named, unnamed = read_weights(path, prefix="network.")
    blocks = {"encoders": 0, "tp_encoders": 0}
    for found in map(_BLOCK.match, named):
        if found:
            blocks[found.group(1)] = max(blocks[found.group(1)], int(found.group(2)) + 1)
    nodes = onnx.load(str(path), load_external_data=False).graph.node
    # PyTorch writes GELU as products around one Erf.
    activation = "gelu" if any(node.op_type in ("Erf", "Gelu") for node in nodes) else "relu"
    heads = [
        attribute.i for node in nodes if node.op_type in _HEADS for attribute in node.attribute if attribute.name == _HEADS[node.op_type]
    ]
    try:
        config = SenseVoiceConfig(
            input_size=named["embed.weight"].shape[1],
            output_size=named["encoder.after_norm.weight"].shape[0],
            attention_heads=heads[0],
            linear_units=named["encoder.encoders0.0.feed_forward.w_1.weight"].shape[0],
            num_blocks=blocks["encoders"] + 1,
            tp_blocks=blocks["tp_encoders"],
            kernel_size=named["encoder.encoders0.0.self_attn.fsmn_block.weight"].shape[2],
            vocab_size=named["ctc.ctc_lo.weight"].shape[0],
            activation=activation,
        )
    except (KeyError, IndexError) as error:
        raise ExportError(f"{path} has no weight {error.args[0]}; it is no SenseVoice graph in FP32 of this workshop") from error
    network = SenseVoice(config)
    _fill(network, named, unnamed, path)
    return network.eval()
