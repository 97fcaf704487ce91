"""A ready-made graph and what was made of it, run on the same random features: the proof that a conversion changed nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.errors import LightVoiceError, first_line
from engine.runtime.session import Session, release_memory
from engine.speech.recognizer import PROMPT_POSITIONS
from models.export.graph_file import MARGIN, PARITY_TOLERANCE, DifferentAnswersError, ExportError, open_for_check
from models.export.logits_graph import MAX_FRAMES, Ports, vad_inputs

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

ASR_LENGTHS = (1, 33, 167, MAX_FRAMES)
#: Graphs whose weights become float at every run are slow.
FLOAT_LENGTHS = (1, 200)
VAD_LENGTHS = (1, 7, 250)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One random input with what a source graph answers to it; ``clear`` marks positions whose arg-max has a margin."""

    feeds: Mapping[str, NDArray[Any]]
    token_ids: NDArray[np.int32]
    log_probs: Floats
    tag_probs: Floats
    clear: NDArray[np.bool_]


def probe_asr(
    session: Any, ports: Ports, *, named: Path, features: int, tag_ids: Sequence[int], vocab_size: int, lengths: Sequence[int] | None = None
) -> list[Probe]:
    """Run a ready-made ASR graph on random features of several lengths; ExportError where it does not answer (1, T + 4, vocab_size)."""
    path, probes = named, []
    kinds = {entry.name: np.int64 if entry.type == "tensor(int64)" else np.int32 for entry in session.get_inputs()}
    if set(kinds) != set(ports.names):
        raise ExportError(f"{path} takes the inputs {', '.join(kinds)}, not those of the graph beside it: {', '.join(ports.names)}")
    rng = np.random.default_rng(9527)
    for index, frames in enumerate(lengths or ASR_LENGTHS):
        speech = rng.standard_normal((1, frames, features), np.float32)
        language, textnorm = np.array([(0, 3, 4, 7)[index % 4]], np.int32), np.array([14 + index % 2], np.int32)
        values = (speech, np.array([frames]), language, textnorm)
        fed = {name: value if name == ports.speech else value.astype(kinds[name]) for name, value in zip(ports.names, values, strict=True)}
        logits = _run_source(session, fed, path)
        if logits.shape[:2] != (1, frames + PROMPT_POSITIONS):
            raise ExportError(f"{path} answers {logits.shape} to {frames} frames; a SenseVoice graph adds {PROMPT_POSITIONS} positions")
        if logits.shape[2] != vocab_size:
            raise ExportError(f"{path} has {logits.shape[2]} outputs where its tokens are {vocab_size}; take the tokens of this very model")
        probes.append(_answers(logits, tag_ids, {"speech": speech, "language": language, "textnorm": textnorm}))
    return probes


def _answers(logits: Floats, tag_ids: Sequence[int], feeds: Mapping[str, NDArray[Any]]) -> Probe:
    top = np.partition(logits, -2, axis=-1)[..., -2:]
    best = top[..., 1]
    total = best + np.log(np.exp(logits - best[..., None]).sum(axis=-1))
    head = logits[:, :PROMPT_POSITIONS]
    shares = np.exp(head - total[:, :PROMPT_POSITIONS, None])
    return Probe(
        feeds=feeds,
        token_ids=logits.argmax(axis=-1).astype(np.int32),
        log_probs=best - total,
        tag_probs=shares[..., list(tag_ids)],
        clear=best - top[..., 0] > MARGIN,
    )


def probe_vad(session: Any, model: onnx.ModelProto, *, named: Path, features: int) -> list[tuple[Floats, Floats]]:
    """Run a ready-made FSMN-VAD graph, its caches empty: -> features (1, T, F) with the answer (1, T, U) to each."""
    path, pairs = named, []
    name, caches = vad_inputs(model, path)
    rng = np.random.default_rng(9527)
    for frames in VAD_LENGTHS:
        speech = rng.standard_normal((1, frames, features), np.float32)
        scores = _run_source(session, {name: speech, **caches}, path)
        if scores.shape[:2] != (1, frames):
            raise ExportError(f"{path} answers {scores.shape} to {frames} frames; FSMN-VAD answers each frame")
        pairs.append((speech, scores))
    return pairs


def open_source(path: Path, *, named: Path, optimized: bool = True) -> Any:
    """A session of a ready-made graph; ExportError, which calls it ``named``, where ONNX Runtime cannot open it."""
    try:
        return open_for_check(path, optimized=optimized)
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        raise ExportError(f"{named} cannot be opened by ONNX Runtime ({first_line(error)[:200]}); fetch it again") from error


def _run_source(session: Any, feeds: Mapping[str, NDArray[Any]], path: Path) -> Floats:
    try:
        first: Floats = session.run(None, dict(feeds))[0]
    except Exception as error:  # as above
        raise ExportError(f"{path} cannot be run on random features ({first_line(error)[:200]}); it is another kind of graph") from error
    if first.ndim != 3 or first.dtype != np.float32 or not np.isfinite(first).all():
        raise ExportError(f"{path} answers {first.dtype} {first.shape} or values that are no numbers; float32 (1, T, N) is needed")
    return first


def check_asr(path: Path, probes: Sequence[Probe], *, integer: bool, precision: str) -> float:
    """Run a converted ASR graph on the engine's session and compare: -> the worst difference; DifferentAnswersError above the tolerance."""
    session = _open_converted(path, model="asr", precision=precision, integer=integer)
    try:
        return _compare(path, session, probes)
    finally:
        session.close()
        release_memory()


def check_without_rounding(path: Path, probes: Sequence[Probe], *, of: Path) -> float:
    """Compare a graph with float activations (``models.export.lean.float_activations``) with its source's, which stand for ``of`` and its
    source: -> the worst difference; DifferentAnswersError above the tolerance.
    """
    worst = _compare(of, open_for_check(path, optimized=False), probes)
    release_memory()
    return worst


def _compare(path: Path, session: Any, probes: Sequence[Probe]) -> float:
    """The worst difference of a session's answers from those of the probes; ExportError above the tolerance."""
    worst = 0.0
    for probe in probes:
        ids, log_probs, tags = session.run(("token_ids", "log_probs", "tag_probs"), probe.feeds)
        if ids.shape != probe.token_ids.shape or not np.array_equal(ids[probe.clear], probe.token_ids[probe.clear]):
            raise DifferentAnswersError(f"{path.name}: token ids differ from the source graph's at {probe.feeds['speech'].shape[1]} frames")
        worst = max(worst, float(np.abs(log_probs - probe.log_probs).max()), float(np.abs(tags - probe.tag_probs).max()))
    return _settle(path, worst)


def check_vad(path: Path, pairs: Sequence[tuple[Floats, Floats]], *, integer: bool, precision: str) -> float:
    """Compare a converted VAD graph with probabilities (1, T, U): -> the worst difference; DifferentAnswersError above the tolerance."""
    worst = 0.0
    session = _open_converted(path, model="vad", precision=precision, integer=integer)
    try:
        for speech, expected in pairs:
            worst = max(worst, float(np.abs(session.run(("probs",), {"speech": speech})[0] - expected).max()))
    finally:
        session.close()
        release_memory()
    return _settle(path, worst)


def _open_converted(path: Path, *, model: str, precision: str, integer: bool) -> Session:
    try:
        return Session.open(path, model=model, precision=precision, require_integer=integer)
    except LightVoiceError as error:
        raise ExportError(f"the converted {path.name} cannot be used: {error}") from error


def _settle(path: Path, worst: float) -> float:
    if not worst <= PARITY_TOLERANCE:  # NaN is no agreement
        raise DifferentAnswersError(f"{path.name} differs by {worst:.2e} from the graph it was made of (tolerance {PARITY_TOLERANCE:g})")
    log.info("%s equals its source to %.1e", path.name, worst)
    return worst


def check_runs(path: Path, feeds: Mapping[str, NDArray[Any]], *, model: str, precision: str) -> None:
    """ExportError unless an INT8 graph opens as one on the engine's session and answers in numbers."""
    session = _open_converted(path, model=model, precision=precision, integer=True)
    try:
        if not all(np.isfinite(output).all() for output in session.run(None, feeds)):
            raise ExportError(f"{path.name} answers values that are no numbers")
    finally:
        session.close()
        release_memory()
