"""Every recipe on the starter bundle: size, memory, latency, error rate, tags and VAD of each variant, in one table.

``python -m benchmarks.recipes --data DIR --work DIR [--limit N] [--markdown FILE] [--json FILE]``

Copies the starter into the work folder, runs every recipe on the recordings of ``--data`` that are set aside for calibration and tuning,
evaluates all variants on those set aside for tests, and measures each in fresh processes. An interrupted run goes on with what the
work folder has.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.command_line import figures_parser, markdown_table
from engine.bundle import Bundle
from engine.bundle_roots import STARTER
from models.benchmark.benchmark import benchmark
from models.benchmark.result import BenchmarkResult
from models.bundle.manifest import read_manifest
from models.evaluate.evaluate import evaluate
from models.evaluate.evaluation import FAMILIES, Evaluation
from models.quantize.prune import prune, size_table
from models.quantize.recipe_names import RecipeName
from models.quantize.recipes import QuantizeOptions, run

PRUNED_AMOUNT = 0.1
AUTO_LIMIT = 0.003
log = logging.getLogger(__name__)

Make = Callable[[Path, Path], object]


def _recipe(name: RecipeName, **options: Any) -> Make:
    return lambda bundle, data: run(QuantizeOptions(bundle=bundle, recipe=name, data=data, **options))


def _auto(bundle: Path, data: Path) -> None:
    config = bundle.parent / "auto.yaml"
    # Dynamic INT8 keeps the CER, so the criterion is a stricter one: three frames in a thousand may be read differently.
    config.write_text(f"metric: disagreement\nlimit: {AUTO_LIMIT}\n", encoding="utf-8")
    run(QuantizeOptions(bundle=bundle, recipe=RecipeName.AUTO, data=data, config=config))


#: Variant -> what makes it.
RECIPES: Mapping[str, Make] = {
    RecipeName.STATIC.variant: _recipe(RecipeName.STATIC),
    RecipeName.MIXED.variant: _recipe(RecipeName.MIXED),
    RecipeName.AUTO.variant: _auto,
    RecipeName.QAT.variant: _recipe(RecipeName.QAT),
    "int8-pruned": lambda bundle, _: prune(bundle, amount=PRUNED_AMOUNT, then_quantize=True),
}
#: In the table's order; fp16 is for GPUs and is left out on a CPU.
ORDER = ("fp32", "int8", "int8-static", "int8-mixed", "int8-auto", "int8-qat", "fp32-pruned", "int8-pruned")


def make_variants(work: Path, data: Path) -> Path:
    """The starter with the variants of every recipe; those that are there already are kept."""
    bundle = work / "starter"
    if not bundle.exists():
        shutil.copytree(STARTER, bundle)
    for variant, make in RECIPES.items():
        if variant not in Bundle.load(bundle).variants:
            log.info("making %s", variant)
            make(bundle, data)
    return bundle


def table(bundle: Path, evaluation: Evaluation, result: BenchmarkResult) -> str:
    """One row a variant."""
    titles = (
        "variant", "MB", "MB zipped", "RSS, MB", "10 s, ms", "10 s / fp32", "CER % [95 %]", "CER − fp32 [95 %]", "frames as fp32 %",
        "tags as fp32 %: language / emotion / event", "VAD F1 (labels)", "VAD F1 (fp32)",
    )  # fmt: skip
    rows = []
    sizes = size_table(bundle)
    for variant in (name for name in ORDER if name in evaluation.scores):
        row = result.row(str(bundle), variant)
        scores = evaluation.scores[variant]["all"]
        figures, ratios = (row.figures, result.ratios(row)) if row is not None else ({}, {})
        rate = scores.cer
        gap = rate.difference if rate is not None else None
        agreement = scores.frames.agreement if scores.frames is not None else None
        tags = scores.tags_to_reference
        cells = [
            f"`{variant}`",
            f"{sizes[variant]['bytes'] / 1e6:.1f}",
            f"{sizes[variant]['compressed_bytes'] / 1e6:.1f}",
            _number(figures.get("rss_open_mb"), "{:.0f}"),
            _number(figures.get("asr_p50_ms_10s"), "{:.1f}"),
            _number(ratios.get("asr_p50_ms_10s"), "{:.2f}"),
            "–" if rate is None else f"{100 * rate.interval.estimate:.1f} [{100 * rate.interval.low:.1f}, {100 * rate.interval.high:.1f}]",
            "–" if gap is None else f"{100 * gap.estimate:+.2f} [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}]",
            "–" if agreement is None else f"{100 * agreement:.2f}",
            "–" if tags is None else " / ".join(f"{100 * (tags[family].rate or 0):.1f}" for family in FAMILIES if family in tags),
            "–" if scores.vad_to_labels is None else _number(scores.vad_to_labels.f1, "{:.3f}"),
            "–" if scores.vad_to_reference is None else _number(scores.vad_to_reference.f1, "{:.4f}"),
        ]
        rows.append(cells)
    return markdown_table(titles, rows)


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else form.format(value)


def main() -> int:
    """Make, evaluate, measure; print the table and write it where asked."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    parser = figures_parser("recipes", __doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the variants; kept")
    parser.add_argument("--limit", type=int, default=400, help="test recordings (default: %(default)s)")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    bundle = make_variants(arguments.work, arguments.data)
    evaluation = evaluate(
        bundle, arguments.data, precisions=[name for name in ORDER if name in Bundle.load(bundle).variants], limit=arguments.limit
    )
    result = benchmark([bundle], precisions=[name for name in ORDER if name in evaluation.scores])
    said = f"{evaluation.recordings} test recordings, {evaluation.seconds / 60:.1f} minutes; {result.machine}; {result.threads} threads."
    text = f"{table(bundle, evaluation, result)}\n\n{said}\n"
    print(text)
    if arguments.markdown is not None:
        arguments.markdown.write_text(text, encoding="utf-8")
    if arguments.json is not None:
        recipes = read_manifest(bundle).get("recipes", {})
        figures = {"recipes": recipes, "evaluation": evaluation.to_json(), "benchmark": result.to_dict(), "sizes": size_table(bundle)}
        arguments.json.write_text(json.dumps(figures, indent=1, default=str) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
