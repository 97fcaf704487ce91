"""The ranges that a graph's activations take over a calibration set, for static quantization.

The graph is run clip by clip with the tensors in question as extra outputs, and each answer is folded into the statistics at
once: memory holds one clip's activations, however many clips there are. MinMax keeps the extremes; Percentile and Entropy
keep histograms, by ONNX Runtime's own collectors (Percentile as in https://arxiv.org/abs/2004.09602, Entropy as TensorRT's
8-bit inference, S. Migacz, GTC 2017).
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import HistogramCollector

from engine.errors import LightVoiceError
from models.export.graph_file import open_for_check
from models.export.probe import with_outputs

Feeds = Mapping[str, NDArray[Any]]
HISTOGRAM_BINS = 2048
#: More bins than this make Entropy's search, which is quadratic in them, take minutes a tensor.
ENTROPY_BINS = 256
ENTROPY_LEVELS = 128


class CalibrationError(LightVoiceError):
    """There is nothing to calibrate with, or an option of calibration makes no sense."""


class CalibrationMethod(StrEnum):
    """How the values that were seen become a range."""

    MINMAX = "minmax"
    ENTROPY = "entropy"
    PERCENTILE = "percentile"


def activation_ranges(
    graph: Path, tensors: Sequence[str], clips: Iterable[Feeds], *, method: CalibrationMethod, percentile: float = 99.99
) -> dict[str, tuple[float, float]]:
    """The range of each tensor over all clips: name -> (lowest, highest).

    Raises CalibrationError without a clip, or where a tensor was never finite.
    """
    extremes: dict[str, tuple[float, float]] = {}
    bins = ENTROPY_BINS if method is CalibrationMethod.ENTROPY else HISTOGRAM_BINS
    collector = HistogramCollector(
        method=str(method), symmetric=False, num_bins=bins, num_quantized_bins=ENTROPY_LEVELS, percentile=percentile, scenario="same"
    )
    count = 0
    with with_outputs(graph, tensors) as path:
        session = open_for_check(path)
        for feeds in clips:
            answers = dict(zip(tensors, session.run(list(tensors), dict(feeds)), strict=True))
            for name, values in answers.items():
                low, high = float(values.min()), float(values.max())
                before = extremes.get(name, (low, high))
                extremes[name] = (min(low, before[0]), max(high, before[1]))
            if method is not CalibrationMethod.MINMAX:
                with contextlib.redirect_stdout(io.StringIO()):  # the collector announces every clip
                    collector.collect({name: [values] for name, values in answers.items()})
            count += 1
        del session
    if count == 0:
        raise CalibrationError("no clip to calibrate with; name a folder of recordings with --data")
    lost = [name for name, (low, high) in extremes.items() if not np.isfinite([low, high]).all()]
    if lost:
        raise CalibrationError(f"{graph.name}: {lost[0]} was not finite over {count} clips; the weights are damaged, fetch them again")
    return extremes if method is CalibrationMethod.MINMAX else _chosen(collector, extremes)


def _chosen(collector: HistogramCollector, extremes: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    with contextlib.redirect_stdout(io.StringIO()):
        thresholds = collector.compute_collection_result()
    ranges = {}
    for name, (low, high) in extremes.items():
        # Its Entropy thresholds are symmetric; behind a ReLU half of them would never be used.
        ranges[name] = (max(low, float(thresholds[name][0])), min(high, float(thresholds[name][1])))
    return ranges
