"""How far a quantized graph is from its FP32 version, on clips set aside for tuning: CER, frames that change, KL divergence.

CER needs texts and trained weights. The other two need neither: the share of frames whose arg-max token changed, and the mean
Kullback–Leibler divergence of the frame posteriors, FP32 from the other, in nats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from engine.speech.ctc import collapse
from engine.speech.vocabulary import Vocabulary
from models.evaluate.metrics import error_counts, log_softmax, total
from models.export.cpu_graph.head import logits_of
from models.export.graph_file import open_for_check
from models.export.probe import with_outputs
from models.quantize.ranges import CalibrationError

PROMPT_POSITIONS = 4
#: The posteriors of this many clips are kept for the divergence: 10 s at 25 055 units are 9 MB.
DIVERGENCE_CLIPS = 16
_TINY = 1e-10

Feeds = Mapping[str, NDArray[Any]]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What one graph costs against FP32; ``cer`` is None where the clips have no texts."""

    cer: float | None
    disagreement: float
    divergence: float


@dataclass(frozen=True)
class _FullAnswer:
    """FP32's answer to one clip: the frame decisions, and their posteriors where the divergence is measured."""

    decisions: NDArray[np.int64]
    posteriors: NDArray[np.float16] | None


def posterior_tensors(graph: Path) -> list[str]:
    """The names of the tensors that hold logits (ASR) or probabilities (VAD): (1, T, V_n) each, in the order of the vocabulary."""
    model = onnx.load(str(graph), load_external_data=False).graph
    compared = logits_of(model)
    if compared:
        return compared
    if [output.name for output in model.output] == ["probs"]:
        return ["probs"]
    raise CalibrationError(f"{graph.name} has no logits to compare; export it again with `python -m models export`")


def log_posteriors(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits or probabilities (T, V) -> log posteriors (T, V)."""
    if values.min() >= 0 and np.allclose(values.sum(axis=-1), 1.0, atol=1e-3):
        return np.log(np.maximum(values, _TINY))
    return np.asarray(log_softmax(values), np.float32)


def divergence(full: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """KL(full || other) of each frame in nats, from log posteriors (T, V): -> (T,)."""
    return np.asarray((np.exp(full) * (full - other)).sum(axis=-1), np.float32)


class Judge:
    """Compares graphs with one FP32 graph over a fixed list of clips; FP32 is run once."""

    def __init__(
        self, full: Path, feeds: Iterable[Feeds], *, texts: Sequence[str] | None = None, vocabulary: Vocabulary | None = None
    ) -> None:
        self._tensors = posterior_tensors(full)
        self._feeds = list(feeds)
        if not self._feeds:
            raise CalibrationError("no clip to compare precisions on; name a folder of recordings with --data")
        self._texts, self._vocabulary = texts, vocabulary
        self._full: list[_FullAnswer] = []
        texts_of_full = []
        for index, values in enumerate(self._answers(full, len(self._feeds))):
            kept = log_posteriors(values).astype(np.float16) if index < DIVERGENCE_CLIPS else None
            self._full.append(_FullAnswer(values.argmax(axis=-1), kept))
            texts_of_full.append(self._text(values))
        self.baseline = Score(cer=self._cer(texts_of_full), disagreement=0.0, divergence=0.0)

    def _answers(self, graph: Path, count: int) -> Iterable[NDArray[np.float32]]:
        with with_outputs(graph, self._tensors) as path:
            session = open_for_check(path)
            for feeds in self._feeds[:count]:
                yield np.concatenate(session.run(self._tensors, dict(feeds)), axis=-1)[0]

    def score(self, graph: Path, *, clips: int | None = None) -> Score:
        """Compare a graph over all clips, or the first ``clips``."""
        changed = frames = 0
        divergences, texts = [], []
        count = len(self._feeds) if clips is None else min(clips, len(self._feeds))
        for full, values in zip(self._full[:count], self._answers(graph, count), strict=True):
            changed += int((values.argmax(axis=-1) != full.decisions).sum())
            frames += len(values)
            if full.posteriors is not None:
                divergences.append(divergence(full.posteriors.astype(np.float32), log_posteriors(values)))
            texts.append(self._text(values))
        cer = self._cer(texts) if count == len(self._feeds) else None
        return Score(cer=cer, disagreement=changed / frames, divergence=float(np.concatenate(divergences).mean()))

    def _text(self, values: NDArray[np.float32]) -> str:
        if self._vocabulary is None:
            return ""
        ids = values[PROMPT_POSITIONS:].argmax(axis=-1).astype(np.int32)
        return self._vocabulary.text(emission.token_id for emission in collapse(ids, np.zeros(len(ids), np.float32)))

    def _cer(self, recognized: Sequence[str]) -> float | None:
        if self._texts is None or self._vocabulary is None:
            return None
        counts = [error_counts(said, text, characters=True) for said, text in zip(self._texts, recognized, strict=True) if said]
        return total(counts).rate
