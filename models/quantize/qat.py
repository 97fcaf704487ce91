"""Quantization-aware training: the network is trained with its own rounding, to give its FP32 version's outputs.

Every linear layer rounds its input to 8 unsigned bits (one learned range a tensor) and its weights to 8 signed bits (one scale a
channel) on the way forward; gradients pass through the rounding as if it were not there, and reach the ranges too (LSQ+,
https://arxiv.org/abs/2004.09576). The loss is the divergence of its frame posteriors from the FP32 network's, so that no text is
needed. It starts from calibrated ranges, is judged on tuning clips after every round, and the best state is kept: it never ends
behind static INT8 there. The result is written exactly as ``models.quantize.static`` writes its own.
"""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.bundle.variants import Source, graph_files
from models.export.export import export_asr, export_vad
from models.jobs.progress import track
from models.networks.fsmn_vad import FsmnVad
from models.networks.sensevoice import SenseVoice
from models.networks.weights import fsmn_vad_of, sensevoice_of
from models.quantize import static
from models.quantize.calibration import CalibrationSet
from models.quantize.graph_metadata import metadata_of, tag_ids_of
from models.quantize.ranges import CalibrationError, CalibrationMethod, activation_ranges
from models.quantize.rules import weight_products
from models.quantize.settings import Count, PositiveFloat, RecipeOptions

log = logging.getLogger(__name__)

ACTIVATION_LEVELS = 255
WEIGHT_LIMIT = 127
#: Clips whose gradients are added up before a step: one clip alone gives too noisy a gradient.
CLIPS_PER_STEP = 4
GRADIENT_CLIP = 1.0
PERCENTILE = 99.999

Network = SenseVoice | FsmnVad
Inputs = tuple[Tensor, ...]


class QatOptions(RecipeOptions, frozen=True):
    """How long and how fast to train, and on how many clips."""

    rounds: Count = 6
    learning_rate: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 3e-6
    timeout_s: PositiveFloat = 1800.0
    seed: int = 9527
    clips: Count = 160


def _round(x: Tensor) -> Tensor:
    """Round, with the gradient of the identity."""
    return x + (torch.round(x) - x).detach()


class FakeQuantLinear(nn.Module):
    """A linear layer that computes with 8-bit inputs and weights, in float: (…, in) -> (…, out)."""

    def __init__(self, linear: nn.Linear, *, low: float, high: float) -> None:
        super().__init__()
        self.linear = linear
        self.low = nn.Parameter(torch.tensor(min(low, 0.0)))
        self.high = nn.Parameter(torch.tensor(max(high, low + 1e-6, 1e-6)))

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.low.clamp(max=0.0), self.high.clamp(min=1e-6)
        scale = (high - low) / ACTIVATION_LEVELS
        zero = _round(-low / scale)
        rounded = (_round((x / scale + zero).clamp(0, ACTIVATION_LEVELS)) - zero) * scale
        weight = self.linear.weight
        step = weight.detach().abs().amax(dim=1, keepdim=True).clamp(min=1e-9) / WEIGHT_LIMIT
        return nn.functional.linear(rounded, _round(weight / step) * step, self.linear.bias)

    def range(self) -> tuple[float, float]:
        """The learned range."""
        return float(self.low.detach().clamp(max=0.0)), float(self.high.detach().clamp(min=1e-6))


def linears_in_order(network: nn.Module, inputs: Inputs) -> list[str]:
    """Names of the linear layers in the order in which a forward pass runs them."""
    order: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda _module, _inputs, called=name: order.append(called))
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear)
    ]
    with torch.inference_mode():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return order


def with_fake_quant(network: Network, ranges: Mapping[str, tuple[float, float]]) -> Network:
    """A copy of a network whose linear layers round; ``ranges`` by layer name."""
    student = copy.deepcopy(network)
    for name, (low, high) in ranges.items():
        parent, _, leaf = name.rpartition(".")
        holder = student.get_submodule(parent)
        setattr(holder, leaf, FakeQuantLinear(holder.get_submodule(leaf), low=low, high=high))  # type: ignore[arg-type]  # linear by construction
    return student


def plain_network(student: Network, network: Network) -> tuple[Network, dict[str, tuple[float, float]]]:
    """The student's weights in an ordinary network, and its ranges by layer name."""
    ranges = {name: module.range() for name, module in student.named_modules() if isinstance(module, FakeQuantLinear)}
    result = copy.deepcopy(network)
    state = {}
    for name, value in student.state_dict().items():
        owner = next((layer for layer in ranges if name.startswith(f"{layer}.")), None)
        own = None if owner is None else name.removeprefix(f"{owner}.")
        if owner is None or own is None:
            state[name] = value
        elif own.startswith("linear."):
            state[f"{owner}.{own.removeprefix('linear.')}"] = value
    result.load_state_dict(state)
    return result, ranges


def imitation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || student) of the frame posteriors in nats, mean over frames; both are logits (1, T, V)."""
    divergence = nn.functional.kl_div(torch.log_softmax(student, -1), torch.log_softmax(teacher, -1), log_target=True, reduction="none")
    return divergence.sum(-1).mean()


class Trainer:
    """Trains one student to give its FP32 teacher's outputs."""

    def __init__(self, network: Network, ranges: Mapping[str, tuple[float, float]], options: QatOptions) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.options = options
        self.teacher = network.eval().to(self.device)
        self.student = with_fake_quant(network, ranges).to(self.device)
        self.losses: list[float] = []

    def _loss(self, inputs: Inputs) -> Tensor:
        inputs = tuple(value.to(self.device) for value in inputs)
        with torch.no_grad():
            target = self.teacher(*inputs)
        return imitation_loss(self.student(*inputs), target)

    @torch.no_grad()
    def judge(self, clips: Sequence[Inputs]) -> float:
        """Mean loss over tuning clips."""
        self.student.eval()
        return float(np.mean([float(self._loss(inputs)) for inputs in clips]))

    def run(self, clips: Callable[[], Iterable[Inputs]], tuning: Sequence[Inputs]) -> float:
        """Train round by round and keep the best state: -> its loss on the tuning clips."""
        options, started = self.options, time.monotonic()
        torch.manual_seed(options.seed)
        bounds = [parameter for name, parameter in self.student.named_parameters() if name.endswith((".low", ".high"))]
        known = {id(parameter) for parameter in bounds}
        weights = [parameter for parameter in self.student.parameters() if id(parameter) not in known]
        groups: list[dict[str, Any]] = [{"params": weights}, {"params": bounds, "lr": 50 * options.learning_rate}]
        optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=options.rounds)
        best, state = self.judge(tuning), copy.deepcopy(self.student.state_dict())
        self.losses.append(best)
        log.info("before training: divergence %.6f on %d tuning clips", best, len(tuning))
        for number in range(1, options.rounds + 1):
            self._round(clips(), optimizer)
            schedule.step()
            loss = self.judge(tuning)
            self.losses.append(loss)
            log.info("round %d of %d: divergence %.6f, %.0f s", number, options.rounds, loss, time.monotonic() - started)
            if loss < best:
                best, state = loss, copy.deepcopy(self.student.state_dict())
            if time.monotonic() - started > options.timeout_s:
                log.warning("the time limit is reached after %d of %d rounds", number, options.rounds)
                break
        self.student.load_state_dict(state)
        return best

    def _round(self, clips: Iterable[Inputs], optimizer: torch.optim.Optimizer) -> None:
        self.student.eval()  # no dropout: the teacher has none either
        optimizer.zero_grad()
        for index, inputs in enumerate(clips, start=1):
            (self._loss(inputs) / CLIPS_PER_STEP).backward()
            if index % CLIPS_PER_STEP == 0:
                nn.utils.clip_grad_norm_(self.student.parameters(), GRADIENT_CLIP)
                optimizer.step()
                optimizer.zero_grad()


def write(
    source: Source, folder: Path, variant: str, *, clips: CalibrationSet, tuning: CalibrationSet, options: QatOptions
) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; the record holds the loss of every round."""
    record: dict[str, Any] = {"recipe": "qat", "calibration": clips.coverage()}
    for model, graph in (("vad", source.vad), ("asr", source.asr)):
        log.info("%s: training", graph.name)
        target = folder / f"{model}.{variant}.onnx"
        record[model] = train(model, graph, target, clips=clips, tuning=tuning, options=options)
    record["used_recordings"] = {"calibration": clips.content_sums(), "tuning": tuning.content_sums()}
    return record


def train(model: str, graph: Path, target: Path, *, clips: CalibrationSet, tuning: CalibrationSet, options: QatOptions) -> dict[str, Any]:
    """Train one model of a bundle and write its QDQ graph: -> what the record keeps."""
    speech = model == "asr"
    network: Network = sensevoice_of(graph) if speech else fsmn_vad_of(graph)
    feeds = clips.asr_feeds if speech else clips.vad_feeds
    tensors = static.activations_of(graph)
    seen = activation_ranges(
        graph, tensors, track(feeds(), len(clips), f"{graph.name}: ranges"), method=CalibrationMethod.PERCENTILE, percentile=PERCENTILE
    )
    products = [node for node in weight_products(onnx.load(str(graph), load_external_data=False).graph) if node.op_type == "MatMul"]
    layers = linears_in_order(network, _tensors(next(iter(feeds()))))
    if len(layers) != len(products):
        raise CalibrationError(f"{graph.name} multiplies {len(products)} times where its network has {len(layers)} linear layers")
    trainer = Trainer(network, {layer: seen[node.input[0]] for layer, node in zip(layers, products, strict=True)}, options)
    judged = [_tensors(feed) for feed in (tuning.asr_feeds() if speech else tuning.vad_feeds())]
    best = trainer.run(lambda: (_tensors(feed) for feed in track(feeds(), len(clips), f"{graph.name}: one round")), judged)
    trained, learnt = plain_network(trainer.student.cpu(), network.cpu())
    temporary = target.with_name(f"{model}.trained.onnx")
    metadata = metadata_of(graph)
    if isinstance(trained, SenseVoice):
        export_asr(trained, temporary, tag_ids=tag_ids_of(metadata), metadata=metadata)
    else:
        export_vad(trained, temporary, metadata=metadata)
    ranges = {node.input[0]: learnt[layer] for layer, node in zip(layers, products, strict=True)}
    static.quantize(temporary, target, ranges, external=speech, recipe="qat")
    for leftover in graph_files(temporary):
        leftover.unlink()
    return {"divergence": [round(loss, 6) for loss in trainer.losses], "kept": round(best, 6)}


def _tensors(feeds: Mapping[str, NDArray[Any]]) -> Inputs:
    """A graph's feeds as its network's arguments."""
    names = ("speech", "language", "textnorm") if "language" in feeds else ("speech",)
    return tuple(torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in names)
