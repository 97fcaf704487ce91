"""What the slim page saves: RSS of a slim and of a full server in fresh processes, with the same models open.

    python -m benchmarks.slim [--bundle FOLDER] [--precision int8] [--rounds 3] [--json FILE]

Each process opens the models, runs them once, builds its page, and reads its own RSS just before it would listen.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import figures_parser, write_figures
from engine.bundle_roots import STARTER
from ui.slim.memory_probe import Saving, measure_saving


def median_of(savings: list[Saving]) -> dict[str, float]:
    """The medians over the rounds, and their ratio."""
    slim, full = (statistics.median(asdict(saving)[kind]["rss_mb"] for saving in savings) for kind in ("slim", "full"))
    return {
        "slim_rss_mb": slim,
        "full_rss_mb": full,
        "saved_mb": full - slim,
        "ratio": slim / full,
        "slim_modules": savings[0].slim.modules,
        "full_modules": savings[0].full.modules,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("slim", __doc__)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures = median_of([measure_saving(arguments.bundle.resolve(), arguments.precision) for _ in range(arguments.rounds)])
    for name, value in figures.items():
        print(f"{name:14} {value:.3f}")
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
