"""Networks → ONNX graphs that keep the bundle contract, each checked against the network it came from.

The ASR graph answers with three small tensors instead of (T, V) logits: the arg-max token of every frame, its
log-probability, and the probabilities of the tag tokens at the four prompt positions. At 25 055 pieces the logits of
30 s would be 50 MB a segment.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from models.export.cpu_graph.attention import use_standard_attention
from models.export.cpu_graph.head import split_head
from models.export.cpu_graph.memory import widen_memories
from models.export.graph_file import MARGIN, PARITY_TOLERANCE, ExportError, lift_constants, open_for_check, save_graph, write_types
from models.export.top_tokens import add_top_tokens
from models.networks.fsmn_vad import FsmnVad
from models.networks.sensevoice import PROMPT_POSITIONS, SenseVoice

log = logging.getLogger(__name__)

OPSET = 17


class AsrGraph(nn.Module):
    """SenseVoice with decoding's first step inside: see the module's docstring for the outputs."""

    tag_ids: Tensor

    def __init__(self, network: SenseVoice, tag_ids: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("tag_ids", torch.tensor(list(tag_ids), dtype=torch.long), persistent=False)

    def forward(self, speech: Tensor, language: Tensor, textnorm: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(speech, language, textnorm)
        # ONNX Runtime's softmax is vectorized, its ReduceLogSumExp is not: 6 ms against 21 for ten seconds at 25 055 pieces.
        probabilities = torch.softmax(logits, dim=-1)
        tags = probabilities[:, :PROMPT_POSITIONS].index_select(-1, self.tag_ids)
        # Its TopK passes once over the logits, its ArgMax goes number by number: 2.4 ms less for ten seconds.
        best = torch.topk(logits, k=1, dim=-1).indices
        return best.squeeze(-1).to(torch.int32), torch.log(probabilities.gather(-1, best)).squeeze(-1), tags


class VadGraph(nn.Module):
    """FSMN-VAD with its softmax: (1, T, 400) -> (1, T, 248) probabilities; unit 0 is silence."""

    def __init__(self, network: FsmnVad) -> None:
        super().__init__()
        self.network = network

    def forward(self, speech: Tensor) -> Tensor:
        return torch.softmax(self.network(speech), dim=-1)


def write_onnx(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    *,
    names: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
    fused: bool = True,
) -> None:
    """Trace a module to ``path`` with PyTorch's exporter; ``axes`` names the dimensions that may change.

    ``fused`` says that the module has operators of ONNX Runtime's own in it, as our attention is.
    """
    with warnings.catch_warnings():
        # The TorchScript exporter is on its way out upstream, but it alone maps an autograd.Function onto one contrib operator.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            inputs,
            str(path),
            input_names=names,
            output_names=outputs,
            dynamic_axes=axes,
            opset_version=OPSET,
            custom_opsets={"com.microsoft": 1} if fused else None,
            do_constant_folding=True,
            dynamo=False,
        )


def finish_graph(path: Path, *, metadata: dict[str, Any], external: bool, for_cpu: bool = False) -> None:
    """Write metadata into the graph and, where asked, move the weights to ``<name>.data`` so that they are mapped, not copied.

    ``for_cpu`` rewrites attention, the FSMN memories and the vocabulary's layer for the CPU (models/export/cpu_graph/attention.py,
    models/export/cpu_graph/memory.py, models/export/cpu_graph/head.py).
    """
    model = onnx.load(str(path))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()})
    model.producer_name = "lightvoice"
    lift_constants(model)
    if for_cpu:
        use_standard_attention(model)
        widen_memories(model)
        split_head(model)
    if any(output.name == "token_ids" for output in model.graph.output):
        add_top_tokens(model)
    path.unlink()
    save_graph(model, path, external=external)
    if for_cpu:
        write_types(path)


def asr_metadata(network: SenseVoice, tag_ids: Sequence[int]) -> dict[str, Any]:
    """What an ASR graph says about itself: which tokens ``tag_probs`` holds, and how many frames its positions reach."""
    return {
        "model_type": "sense_voice_small",
        "tag_token_ids": list(tag_ids),
        "max_frames": network.encoder.positions.shape[1] - PROMPT_POSITIONS,
        "vocab_size": network.config.vocab_size,
    }


def export_asr(network: SenseVoice, path: Path, *, tag_ids: Sequence[int], metadata: dict[str, Any]) -> None:
    """Write the CPU graph of a SenseVoice network, and raise ExportError if it does not compute the same."""
    network.eval()
    graph = AsrGraph(network, tag_ids).eval()
    speech = torch.randn(1, 60, network.config.input_size)
    prompt = (torch.tensor([0], dtype=torch.int32), torch.tensor([15], dtype=torch.int32))
    time_axis = {"speech": {1: "frames"}, "token_ids": {1: "positions"}, "log_probs": {1: "positions"}}
    names, outputs = ["speech", "language", "textnorm"], ["token_ids", "log_probs", "tag_probs"]
    write_onnx(graph, (speech, *prompt), path, names=names, outputs=outputs, axes=time_axis)
    finish_graph(path, metadata={**asr_metadata(network, tag_ids), **metadata}, external=True, for_cpu=True)
    check_asr(graph, path)


def export_vad(network: FsmnVad, path: Path, *, metadata: dict[str, Any]) -> None:
    """Write the graph of an FSMN-VAD network, and raise ExportError if it does not compute the same."""
    graph = VadGraph(network.eval()).eval()
    speech = torch.randn(1, 60, network.config.input_dim)
    write_onnx(
        graph, (speech,), path, names=["speech"], outputs=["probs"], axes={"speech": {1: "frames"}, "probs": {1: "frames"}}, fused=False
    )
    finish_graph(path, metadata={"model_type": "fsmn_vad", **metadata}, external=False)
    session = open_for_check(path)
    for length in (1, 7, 250):
        sample = torch.randn(1, length, network.config.input_dim)
        with torch.inference_mode():
            expected = graph(sample).numpy()
        worst = float(np.abs(session.run(None, {"speech": sample.numpy()})[0] - expected).max())
        if worst > PARITY_TOLERANCE:
            raise ExportError(f"{path.name}: probabilities differ by {worst:.2e} from the network's at {length} frames")


@torch.inference_mode()
def check_asr(graph: AsrGraph, path: Path, *, lengths: Sequence[int] = (1, 2, 33, 167, 500)) -> float:
    """Compare an exported graph with its network at several lengths and prompts: -> the worst difference seen."""
    session = open_for_check(path)
    worst = 0.0
    for index, length in enumerate(lengths):
        speech = torch.randn(1, length, graph.network.config.input_size, generator=torch.Generator().manual_seed(index))
        language, textnorm = (
            torch.tensor([(0, 3, 4, 7, 11, 12, 13)[index % 7]], dtype=torch.int32),
            torch.tensor([14 + index % 2], dtype=torch.int32),
        )
        logits = graph.network(speech, language, textnorm)
        expected_ids, expected_log_probs, expected_tags = graph(speech, language, textnorm)
        feeds = {"speech": speech.numpy(), "language": language.numpy(), "textnorm": textnorm.numpy()}
        ids, log_probs, tags = session.run(["token_ids", "log_probs", "tag_probs"], feeds)
        top = logits.topk(2, dim=-1).values[..., :]
        clear = (top[..., 0] - top[..., 1] > MARGIN).numpy()
        if not np.array_equal(ids[clear], expected_ids.numpy()[clear]):
            raise ExportError(f"{path.name}: token ids differ from the network's at {length} frames")
        worst = max(worst, float(np.abs(log_probs - expected_log_probs.numpy()).max()), float(np.abs(tags - expected_tags.numpy()).max()))
    if worst > PARITY_TOLERANCE:
        raise ExportError(f"{path.name}: outputs differ by {worst:.2e} from the network's (tolerance {PARITY_TOLERANCE:g})")
    log.info("%s equals its network to %.1e", path.name, worst)
    return worst
