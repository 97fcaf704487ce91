"""Two precisions of one graph, frame by frame: same token, same distribution?

The deployed ASR graphs keep their logits inside. A temporary copy of the graph hands them out as well; it shares the weights, and one
clip's logits are in memory at a time (30 s at 25 055 tokens: 50 MB a side).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.errors import GraphContractError
from engine.runtime.session import Session, release_memory
from engine.speech.recognizer import PROMPT_POSITIONS
from engine.tags import TextNorm
from models.bundle.upstream_layout import PROMPT_LANGUAGE, PROMPT_TEXTNORM
from models.evaluate.metrics import Summed, argmax_agreement, blank_frames, frame_kl, top_margin
from models.export.cpu_graph.head import logits_of
from models.export.probe import probe_graph

LOGITS = "full_logits"
#: Frames whose two best tokens lie closer than this may turn over by rounding alone.
CLEAR_MARGIN = 1e-3
#: Every clip is asked with language "auto" and no inverse text normalization.
PROMPT = {"language": PROMPT_LANGUAGE["auto"], "textnorm": PROMPT_TEXTNORM[TextNorm.WOITN]}

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FrameAgreement(Summed):
    """The right ASR graph against the left one, in frames; agreements of several clips add up to that of all their frames."""

    frames: int = 0
    same: int = 0
    clear_frames: int = 0
    clear_same: int = 0
    right_blanks: int = 0
    kl_sum: float = 0.0
    max_kl: float = 0.0

    def __add__(self, other: FrameAgreement) -> FrameAgreement:
        return replace(super().__add__(other), max_kl=max(self.max_kl, other.max_kl))

    @property
    def agreement(self) -> float | None:
        """Share of frames with the same arg-max; None without frames."""
        return _share(self.same, self.frames)

    @property
    def clear_agreement(self) -> float | None:
        """The same over frames in which the left graph's best token is ahead by more than 1e-3."""
        return _share(self.clear_same, self.clear_frames)

    @property
    def mean_kl(self) -> float | None:
        """Mean KL(left ‖ right) of a frame in nats."""
        return _share(self.kl_sum, self.frames)

    @property
    def right_blank_rate(self) -> float | None:
        """Share of frames that the right graph leaves blank."""
        return _share(self.right_blanks, self.frames)


def compare_logits(left: NDArray[np.float32], right: NDArray[np.float32]) -> FrameAgreement:
    """One clip's logits (T, V) from two graphs -> FrameAgreement."""
    if not len(left):
        return FrameAgreement()
    same, clear = argmax_agreement(left, right), top_margin(left) > CLEAR_MARGIN
    divergences = frame_kl(left, right)
    return FrameAgreement(
        frames=len(left),
        same=int(same.sum()),
        clear_frames=int(clear.sum()),
        clear_same=int((same & clear).sum()),
        right_blanks=blank_frames(right),
        kl_sum=float(divergences.sum()),
        max_kl=float(divergences.max()),
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


@contextmanager
def with_logits(graph: Path) -> Iterator[Path]:
    """A temporary copy of an ASR graph with one more output, :data:`LOGITS` (1, T + 4, V) float32: what its arg-max is taken of.

    It lies beside the original and shares its weights. Raises GraphContractError for a graph in which no arg-max leads to ``token_ids``.
    """
    model = onnx.load(str(graph), load_external_data=False)
    pieces = logits_of(model.graph)
    if not pieces:
        raise GraphContractError(path=graph, reason="no ArgMax leads to its output token_ids")
    # FP16 graphs have logits of their own kind; where they are float32 already ONNX Runtime takes the cast out again.
    model.graph.node.append(onnx.helper.make_node("Concat", pieces, [f"{LOGITS}_of_their_kind"], axis=-1))
    model.graph.node.append(onnx.helper.make_node("Cast", [f"{LOGITS}_of_their_kind"], [LOGITS], to=onnx.TensorProto.FLOAT))
    model.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None))
    with probe_graph(model, Path(graph).resolve().parent) as path:
        yield path


def agreements(left: Path, right: Path, features: Iterable[Features], *, device: str = "cpu") -> Iterator[FrameAgreement]:
    """Run two ASR graphs on the same features and compare their logits: clips of (T, 560) float32 -> a FrameAgreement each.

    The four prompt positions are left out: they hold tags. KL is KL(left ‖ right) in nats. Raises GraphContractError.
    """
    with ExitStack() as stack:
        stack.callback(release_memory)
        sessions = []
        for side, graph in (("left", left), ("right", right))[: 1 if left == right else 2]:  # against itself: for its blank rate
            copy = stack.enter_context(with_logits(graph))
            sessions.append(Session.open(copy, model="asr", precision=side, device=device))
            stack.callback(sessions[-1].close)
        for clip in features:
            logits = [_logits(session, clip) for session in sessions]
            one, two = logits[0], logits[-1]
            if one.shape != two.shape:
                raise GraphContractError(path=right, reason=f"its logits are {two.shape} where {Path(left).name} has {one.shape}")
            yield compare_logits(one, two)


def _logits(session: Session, clip: Features) -> NDArray[np.float32]:
    feeds = {"speech": clip[None].astype(np.float32), **{name: np.array([row], np.int32) for name, row in PROMPT.items()}}
    if "speech_lengths" in session.input_names:  # a GPU graph, which masks batches
        feeds["speech_lengths"] = np.array([len(clip)], np.int32)
    (logits,) = session.run([LOGITS], feeds)
    return np.asarray(logits[0, PROMPT_POSITIONS:], np.float32)
