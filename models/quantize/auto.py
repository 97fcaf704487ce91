"""Accuracy-aware INT8 of a whole bundle: ``models.quantize.search`` over dynamic INT8, or NNCF's search over static INT8.

The criterion is about SenseVoice: CER where the tuning recordings have texts and the weights are trained, else the share of frames
whose token changes. FSMN-VAD has no text; its criterion is always that share, of its own frames.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec
import onnx

from engine.runtime.telemetry import leave_out_openvino_telemetry
from engine.speech.vocabulary import Vocabulary
from models.bundle.variants import Source, graph_files
from models.export.graph_file import save_graph
from models.quantize import dynamic
from models.quantize.calibration import TUNING_CLIPS, CalibrationSet
from models.quantize.hybrid import Hybrid
from models.quantize.judge import Judge
from models.quantize.ranges import CalibrationError
from models.quantize.rules import block_of
from models.quantize.search import DEFAULT_LIMITS, Budget, Criterion, Metric, Search, Tolerance, TrialLog, search_key
from models.quantize.settings import Count, PositiveFloat, RecipeOptions

log = logging.getLogger(__name__)

VAD_CRITERION = Criterion(metric=Metric.DISAGREEMENT, limit=0.01)
#: Features of a VAD clip are four times an ASR clip's; this many are a hundred megabytes.
MOST_VAD_CLIPS = 60


class Products(StrEnum):
    """How the products that are not restored are quantized."""

    DYNAMIC = "dynamic"
    STATIC = "static"


class AutoOptions(RecipeOptions, frozen=True):
    """What may be lost, and how long to search; ``metric`` None lets the recordings decide."""

    metric: Metric | None = None
    limit: float | None = None
    tolerance: Tolerance = Tolerance.ABSOLUTE
    max_trials: Count = 30
    timeout_s: PositiveFloat = 3600.0
    products: Products = Products.DYNAMIC
    seed: int = 9527
    clips: Count = TUNING_CLIPS

    @property
    def budget(self) -> Budget:
        """When the search ends."""
        return Budget(max_trials=self.max_trials, timeout_s=self.timeout_s)

    def criterion(self, *, has_cer: bool) -> Criterion:
        """The criterion for SenseVoice; CalibrationError where CER is asked for and cannot be measured."""
        metric = self.metric or (Metric.CER if has_cer else Metric.DISAGREEMENT)
        if metric is Metric.CER and not has_cer:
            raise CalibrationError(
                "CER needs recordings with texts (--data) and trained weights; use the metric disagreement or divergence instead"
            )
        limit = DEFAULT_LIMITS[metric] if self.limit is None else self.limit
        return Criterion(metric=metric, limit=limit, tolerance=self.tolerance)


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One model of the bundle, ready to be searched."""

    model: str
    full: Path
    target: Path
    judge: Judge
    criterion: Criterion
    trial_log: TrialLog


def write(
    source: Source, folder: Path, variant: str, *, clips: CalibrationSet, tuning: CalibrationSet, options: AutoOptions, trials: Path
) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; ``trials`` is the log that an interrupted run resumes from.

    ``clips`` calibrate the static products, ``tuning`` judges every trial.
    """
    texts = tuning.texts()
    has_cer = any(texts) and not source.bundle.is_random
    record: dict[str, Any] = {"recipe": "auto", "products": str(options.products), "seed": options.seed}
    for model, graph in (("asr", source.asr), ("vad", source.vad)):
        speech = model == "asr"
        vocabulary = Vocabulary.load(source.bundle.tokens_path) if speech and has_cer else None
        feeds = tuning.asr_feeds() if speech else (feed for feed, _ in zip(tuning.vad_feeds(), range(MOST_VAD_CLIPS), strict=False))
        judge = Judge(graph, feeds, texts=texts if vocabulary else None, vocabulary=vocabulary)
        criterion = options.criterion(has_cer=has_cer) if speech else VAD_CRITERION
        sums = [source.bundle.files[graph.name].bytes, *tuning.content_sums()]
        key = search_key(model, source.bundle.name, source.bundle.version, criterion, options.products, options.seed, sums)
        job = _Job(
            model=model,
            full=graph,
            target=folder / f"{model}.{variant}.onnx",
            judge=judge,
            criterion=criterion,
            trial_log=TrialLog(trials, key=key),
        )
        run = _search_dynamic if options.products is Products.DYNAMIC else _search_static
        record[model] = run(job, options, clips)
    record["used_recordings"] = {"tuning": tuning.content_sums()}
    if options.products is Products.STATIC:
        record["used_recordings"]["calibration"] = clips.content_sums()
    return record


def _search_dynamic(job: _Job, options: AutoOptions, _: CalibrationSet) -> dict[str, Any]:
    integer = job.target.with_name(f"{job.model}.int8.onnx")
    dynamic.quantize(job.full, integer, external=job.model == "asr", fused=False)
    hybrid = Hybrid(job.full, integer)
    members: dict[str, list[str]] = {}
    for name in hybrid.products:
        members.setdefault(block_of(name), []).append(name)

    def products_of(blocks: Any) -> list[str]:
        return [name for block in blocks for name in members[block]]

    def score(in_float: Any, clips: int | None) -> Any:
        with hybrid.probe(products_of(in_float)) as path:
            return job.judge.score(path, clips=clips)

    search = Search(list(members), score, job.judge.baseline, job.criterion, options.budget, job.trial_log)
    best = search.run()
    if len(best.in_float) == len(members):
        remedy = f"allow more than {job.criterion.limit:g}, or stay with fp32"
        raise CalibrationError(f"{job.model}: {_words(job.criterion)} leaves no block in INT8 on these recordings; {remedy}")
    if not best.accepted:
        log.warning(
            "%s: no trial kept the criterion (%s); the best one is written, and its record states it", job.model, _words(job.criterion)
        )
    hybrid.write_final(job.target, products_of(best.in_float), recipe="auto", external=job.model == "asr")
    if job.model == "asr":
        dynamic.fuse(job.target)
    for leftover in graph_files(integer):
        leftover.unlink()
    return {
        "criterion": _words(job.criterion),
        "met": best.accepted,
        "blocks_in_fp32": list(best.in_float),
        "blocks": len(members),
        "baseline": msgspec.to_builtins(job.judge.baseline),
        "score": msgspec.to_builtins(best.score),
        "trials": len(search.trials),
    }


def _words(criterion: Criterion) -> str:
    change = f"{criterion.limit:g}" if criterion.tolerance is Tolerance.ABSOLUTE else f"{100 * criterion.limit:g} % of FP32's"
    return f"{criterion.metric} may grow by {change}"


def _search_static(job: _Job, options: AutoOptions, clips: CalibrationSet) -> dict[str, Any]:
    """NNCF restores product by product; its own search keeps no state, so that an interrupted one begins anew."""
    leave_out_openvino_telemetry()
    import nncf

    scores: list[dict[str, Any]] = []
    baseline = job.judge.baseline

    def validate(model: onnx.ModelProto, _: Any) -> tuple[float, None]:
        path = job.target.with_name(f"{job.model}.trial.onnx")
        save_graph(_copy_of(model), path, external=False)
        score = job.judge.score(path)
        path.unlink()
        scores.append(msgspec.to_builtins(score))
        job.trial_log.write({"nncf": job.model, "number": len(scores), "score": scores[-1]})
        return 1.0 - job.criterion.value(score), None  # NNCF wants more to be better, and divides by FP32's own

    relative = job.criterion.tolerance is Tolerance.RELATIVE
    allowed = job.criterion.limit * (job.criterion.value(baseline) if relative else 1.0)
    feeds = list(
        clips.asr_feeds() if job.model == "asr" else (feed for feed, _ in zip(clips.vad_feeds(), range(MOST_VAD_CLIPS), strict=False))
    )
    model = onnx.load(str(job.full))
    others = sorted({node.op_type for node in model.graph.node} - {"MatMul", "Constant"})
    with contextlib.redirect_stdout(sys.stderr):  # its progress bars
        result = nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(feeds),
            nncf.Dataset([0]),
            validate,
            max_drop=allowed,
            drop_type=nncf.DropType.ABSOLUTE,
            subset_size=len(feeds),
            ignored_scope=nncf.IgnoredScope(types=others, validate=False),
            advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(max_num_iterations=options.max_trials),
        )
    dynamic.label_graph(result, job.full, recipe="auto, static")
    save_graph(result, job.target, external=job.model == "asr")
    score = job.judge.score(job.target)
    met = job.criterion.accepts(score, baseline)
    if not met:
        log.warning(
            "%s: NNCF did not reach the criterion (%s); its last graph is written, and its record states it",
            job.model,
            _words(job.criterion),
        )
    return {
        "criterion": _words(job.criterion),
        "met": met,
        "products_in_fp32": dynamic.count_float_products(result.graph),
        "baseline": msgspec.to_builtins(baseline),
        "score": msgspec.to_builtins(score),
        "trials": len(scores),
    }


def _copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def trial_log_path(bundle: Path, variant: str) -> Path:
    """Where a bundle's trials are logged: beside it, because everything inside has a checksum."""
    return bundle.parent / f"{bundle.name}.{variant}.trials.jsonl"
