"""Two precisions of one graph, frame by frame: same token, same distribution, same speech decision?

The deployed ASR graphs keep their logits inside. A temporary copy of the graph hands them out as well; its weights are linked, not
copied, and one clip's logits are in memory at a time (30 s at 25 055 tokens: 50 MB a side).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.asr import PROMPT_POSITIONS
from engine.errors import GraphContractError
from engine.segments import VadOptions, speech_frames
from engine.session import Session, release_memory
from models.metrics import BLANK_ID, VadScores, argmax_agreement, frame_kl, top_margin, vad_scores

LOGITS = "logits"
#: Frames whose two best tokens lie closer than this may turn over by rounding alone.
CLEAR_MARGIN = 1e-3
#: The prompt that every clip is asked with: language "auto", no inverse text normalization.
AUTO_ROW, WOITN_ROW = 0, 15

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class FrameAgreement:
    """The right ASR graph against the left one over all frames of all clips; ratios are None without frames."""

    frames: int
    agreement: float | None
    clear_frames: int
    clear_agreement: float | None
    mean_kl: float | None
    max_kl: float | None
    left_blank_rate: float | None
    right_blank_rate: float | None


@dataclass(frozen=True, kw_only=True)
class VadAgreement:
    """The right VAD graph's speech decisions against the left one's, which count as the truth."""

    agreement: float | None
    scores: VadScores
    max_difference: float


def with_logits(graph: Path, folder: Path) -> Path:
    """Write a copy of an ASR graph into ``folder`` whose output ``logits`` (1, T + 4, V) is what its arg-max is taken of: -> its path.

    External weights are hard-linked, or copied where the folder lies on another disk. Raises GraphContractError for a graph in which
    no arg-max leads to ``token_ids``.
    """
    graph, folder = Path(graph), Path(folder)
    model = onnx.load(str(graph), load_external_data=False)
    if LOGITS not in {output.name for output in model.graph.output}:
        _add_logits(model, graph)
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(_external_files(model)):
        _link(graph.parent / name, folder / name)
    copy = folder / graph.name
    onnx.save(model, str(copy))
    return copy


def _add_logits(model: onnx.ModelProto, path: Path) -> None:
    source = _logits_of(model, path)
    if source != LOGITS:
        if any(LOGITS in node.output for node in model.graph.node):
            raise GraphContractError(path=path, reason=f"a tensor called {LOGITS!r} inside it is not what its arg-max is taken of")
        model.graph.node.append(onnx.helper.make_node("Cast", [source], [LOGITS], to=onnx.TensorProto.FLOAT))
    model.graph.output.append(onnx.helper.make_tensor_value_info(LOGITS, onnx.TensorProto.FLOAT, None))


def _logits_of(model: onnx.ModelProto, path: Path) -> str:
    """The tensor whose arg-max becomes ``token_ids``: recipes rename and insert nodes, but that chain stays."""
    producers = {output: node for node in model.graph.node for output in node.output}
    name = "token_ids"
    while (node := producers.get(name)) is not None and node.input:
        name = node.input[0]
        if node.op_type in ("ArgMax", "TopK"):
            return name
    raise GraphContractError(path=path, reason="no ArgMax leads to its output token_ids")


def _external_files(model: onnx.ModelProto) -> set[str]:
    return {entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"}


def _link(source: Path, target: Path) -> None:
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links; ONNX Runtime follows no symbolic link out of a model's folder
        shutil.copyfile(source, target)


def agreement(
    left: Path, right: Path, features: Iterable[Features], *, language_row: int = AUTO_ROW, textnorm_row: int = WOITN_ROW
) -> FrameAgreement:
    """Run two ASR graphs on the same features and compare their logits: clips of (T, 560) float32 -> FrameAgreement.

    The four prompt positions are left out: they hold tags. KL is KL(left ‖ right) in nats. Raises GraphContractError.
    """
    prompt = {"language": np.array([language_row], np.int32), "textnorm": np.array([textnorm_row], np.int32)}
    tally = _Tally()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".logits-", dir=_beside(left))))
        stack.callback(release_memory)
        sessions = []
        for side, graph in (("left", left), ("right", right)):
            sessions.append(Session.open(with_logits(graph, folder / side), model="asr", precision=side))
            stack.callback(sessions[-1].close)
        for clip in features:
            one, two = (_logits(session, clip, prompt) for session in sessions)
            if one.shape != two.shape:
                raise GraphContractError(path=right, reason=f"its logits are {two.shape} where {Path(left).name} has {one.shape}")
            tally.add(one, two)
    return tally.result()


def _beside(graph: Path) -> Path | None:
    """Where a link to the graph's weights can lie: its own folder if that can be written, else the system's temporary one."""
    folder = Path(graph).resolve().parent
    return folder if os.access(folder, os.W_OK) else None


def _logits(session: Session, clip: Features, prompt: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
    feeds = {"speech": clip[None].astype(np.float32), **prompt}
    if "speech_lengths" in session.input_names:  # a GPU graph, which masks batches
        feeds["speech_lengths"] = np.array([len(clip)], np.int32)
    (logits,) = session.run([LOGITS], feeds)
    return np.asarray(logits[0, PROMPT_POSITIONS:], np.float32)


class _Tally:
    """Sums over clips, so that no clip has to be kept."""

    def __init__(self) -> None:
        self.frames = self.same = self.clear = self.clear_same = self.left_blanks = self.right_blanks = 0
        self.kl_sum = self.kl_max = 0.0

    def add(self, left: NDArray[np.float32], right: NDArray[np.float32]) -> None:
        """Count one clip: logits (T, V) twice."""
        if not len(left):
            return
        same, clear = argmax_agreement(left, right), top_margin(left) > CLEAR_MARGIN
        divergences = frame_kl(left, right)
        self.frames += len(left)
        self.same += int(same.sum())
        self.clear += int(clear.sum())
        self.clear_same += int((same & clear).sum())
        self.left_blanks += int((left.argmax(axis=-1) == BLANK_ID).sum())
        self.right_blanks += int((right.argmax(axis=-1) == BLANK_ID).sum())
        self.kl_sum += float(divergences.sum())
        self.kl_max = max(self.kl_max, float(divergences.max()))

    def result(self) -> FrameAgreement:
        """The sums as shares."""
        return FrameAgreement(
            frames=self.frames,
            agreement=_share(self.same, self.frames),
            clear_frames=self.clear,
            clear_agreement=_share(self.clear_same, self.clear),
            mean_kl=_share(self.kl_sum, self.frames),
            max_kl=self.kl_max if self.frames else None,
            left_blank_rate=_share(self.left_blanks, self.frames),
            right_blank_rate=_share(self.right_blanks, self.frames),
        )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def vad_agreement(
    left: Path, right: Path, features: Iterable[Features], *, silence_ids: Sequence[int] = (0,), options: VadOptions | None = None
) -> VadAgreement:
    """Run two VAD graphs on the same features and compare which frames they call speech: clips of (T, 400) float32 -> VadAgreement.

    A frame is speech as in :func:`engine.segments.speech_frames`, without the energy gate.
    """
    chosen = options or VadOptions()
    scores, worst = VadScores(), 0.0
    with ExitStack() as stack:
        sessions = []
        for side, graph in (("left", left), ("right", right)):
            sessions.append(Session.open(Path(graph), model="vad", precision=side))
            stack.callback(sessions[-1].close)
        for clip in features:
            one, two = (_silence(session, clip, silence_ids) for session in sessions)
            scores += vad_scores(speech_frames(one, None, chosen), speech_frames(two, None, chosen))
            worst = max(worst, float(np.abs(one - two).max(initial=0.0)))
    return VadAgreement(agreement=_share(scores.hits + scores.rejections, scores.frames), scores=scores, max_difference=worst)


def _silence(session: Session, clip: Features, silence_ids: Sequence[int]) -> NDArray[np.float32]:
    (answer,) = session.run(session.output_names[:1], {session.input_names[0]: clip[None].astype(np.float32)})
    return np.asarray(answer[0][:, list(silence_ids)].sum(axis=-1), np.float32)
