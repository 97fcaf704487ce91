"""SenseVoice's graph for GPUs: several segments at once, padded to one length and masked.

A CPU gains nothing from a batch (four clips cost 3.2 times one), so its graph has no mask at all; a GPU is idle without one.
``speech_lengths`` says how many frames of each row are speech. Answers of positions beyond a row's length mean nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.export.export import AsrGraph, asr_metadata, finish_graph, write_onnx
from models.export.graph_file import MARGIN, PARITY_TOLERANCE, ExportError, open_for_check
from models.networks.sensevoice import PROMPT_POSITIONS, SenseVoice

log = logging.getLogger(__name__)

#: Lengths of the batch that every GPU graph is checked with, in frames.
CHECK_LENGTHS = (40, 1, 23, 167)


class BatchAsrGraph(nn.Module):
    """As :class:`models.export.export.AsrGraph`, for (B, T, 560) features of which ``speech_lengths`` (B,) frames are speech."""

    tag_ids: Tensor

    def __init__(self, network: SenseVoice, tag_ids: Sequence[int]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("tag_ids", torch.tensor(list(tag_ids), dtype=torch.long), persistent=False)

    def forward(self, speech: Tensor, speech_lengths: Tensor, language: Tensor, textnorm: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logits = self.network(speech, language, textnorm, speech_lengths)
        probabilities = torch.softmax(logits, dim=-1)
        tags = probabilities[:, :PROMPT_POSITIONS].index_select(-1, self.tag_ids)
        return logits.argmax(dim=-1).to(torch.int32), torch.log(probabilities.amax(dim=-1)), tags


def export_batch(network: SenseVoice, path: Path, *, tag_ids: Sequence[int], metadata: dict[str, Any]) -> None:
    """Write the masked graph; ExportError if a batch of unequal lengths answers differently than its rows one by one."""
    network.eval()
    graph = BatchAsrGraph(network, tag_ids).eval()
    rows = 2
    inputs = (
        torch.randn(rows, 60, network.config.input_size),
        torch.tensor([60, 31], dtype=torch.int32),
        torch.zeros(rows, dtype=torch.int32),
        torch.full((rows,), 15, dtype=torch.int32),
    )
    names = ["speech", "speech_lengths", "language", "textnorm"]
    outputs = ["token_ids", "log_probs", "tag_probs"]
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in (*names, *outputs)}
    axes["speech"][1] = "frames"
    axes["token_ids"][1] = axes["log_probs"][1] = "positions"
    write_onnx(graph, inputs, path, names=names, outputs=outputs, axes=axes)
    finish_graph(path, metadata={**asr_metadata(network, tag_ids), **metadata}, external=True)
    check_batch(AsrGraph(network, tag_ids).eval(), path)


def unequal_batch(input_size: int, *, lengths: Sequence[int] = CHECK_LENGTHS) -> dict[str, np.ndarray]:
    """Random inputs of unequal lengths, padded with noise that a wrong mask would let through."""
    rng = np.random.default_rng(9527)
    return {
        "speech": rng.standard_normal((len(lengths), max(lengths), input_size), np.float32),
        "speech_lengths": np.array(lengths, np.int32),
        "language": np.array([(0, 3, 4, 7, 11, 12, 13)[row % 7] for row in range(len(lengths))], np.int32),
        "textnorm": np.array([14 + row % 2 for row in range(len(lengths))], np.int32),
    }


@torch.inference_mode()
def check_batch(alone: AsrGraph, path: Path, *, tolerance: float = PARITY_TOLERANCE) -> float:
    """Compare a masked graph with its network row by row: -> the worst difference; ExportError above ``tolerance``."""
    feeds = unequal_batch(alone.network.config.input_size)
    ids, log_probs, tags = open_for_check(path).run(["token_ids", "log_probs", "tag_probs"], feeds)
    worst = 0.0
    for row, length in enumerate(feeds["speech_lengths"]):
        prompt = [torch.from_numpy(feeds[name][row : row + 1]) for name in ("language", "textnorm")]
        speech = torch.from_numpy(feeds["speech"][row : row + 1, :length])
        top = alone.network(speech, *prompt)[0].topk(2, dim=-1).values
        expected_ids, expected_log_probs, expected_tags = (output[0].numpy() for output in alone(speech, *prompt))
        kept = slice(length + PROMPT_POSITIONS)
        clear = (top[:, 0] - top[:, 1] > max(MARGIN, tolerance)).numpy()
        if not np.array_equal(ids[row, kept][clear], expected_ids[clear]):
            raise ExportError(f"{path.name}: in a batch, row {row} ({length} frames) is read differently than alone")
        worst = max(worst, float(np.abs(log_probs[row, kept] - expected_log_probs).max()), float(np.abs(tags[row] - expected_tags).max()))
    if not worst <= tolerance:  # NaN is no agreement
        raise ExportError(f"{path.name}: a batch differs by {worst:.2e} from its rows one by one (tolerance {tolerance:g})")
    log.info("%s: batches equal their rows one by one to %.1e", path.name, worst)
    return worst
