"""Inverse text normalization beside other libraries: right answers, words that stayed and changed meanings, counted.

The table is ``tests/engine/speech/itn/itn_right_answers.tsv``, its answers written before our rules were. wetext is judged where it is
installed (``benchmarks/requirements.txt``). Words that stay are no fault; anything that is neither right nor the words changes what was
said.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.speech.itn.itn import apply_itn

TABLE = Path(__file__).resolve().parent.parent / "tests" / "engine" / "speech" / "itn" / "itn_right_answers.tsv"
WETEXT_LANGUAGES = {"Mandarin": "zh", "English": "en", "Japanese": "ja"}


@dataclass(frozen=True)
class Row:
    """A spoken text and what it may be written as; the first answer is ours."""

    group: str
    spoken: str
    answers: tuple[str, ...]


def right_answers(table: Path = TABLE) -> list[Row]:
    """The rows of a table: group, spoken text and answers between tabs, comments after #."""
    lines = [line.split("\t") for line in table.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return [Row(group=group, spoken=spoken, answers=tuple(answers)) for group, spoken, *answers in lines]


def verdict(row: Row, written: str) -> str:
    """What is to be said of one answer."""
    if written in row.answers:
        return "right"
    return "left in words" if written == row.spoken else "changed"


def by_wetext() -> Callable[[Row], str]:
    """Wetext's own answer to a row, by the grammar of the row's language."""
    from wetext import Normalizer  # noqa: PLC0415 - a peer, not a requirement

    normalizers = {language: Normalizer(lang=language, operator="itn") for language in (*WETEXT_LANGUAGES.values(), "auto")}
    return lambda row: normalizers[WETEXT_LANGUAGES.get(row.group.split()[0], "auto")].normalize(row.spoken)


def main() -> None:
    """Print a line for each library, and with ``--changed`` every answer that changes what was said."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.itn", description=__doc__)
    parser.add_argument("--changed", action="store_true", help="list the answers that change what was said")
    arguments = parser.parse_args()
    libraries: dict[str, Callable[[Row], str]] = {"engine/speech/itn/itn.py": lambda row: apply_itn(row.spoken)}
    if importlib.util.find_spec("wetext"):
        libraries["wetext"] = by_wetext()
    rows = right_answers()
    for name, write in libraries.items():
        written = [(row, write(row)) for row in rows]
        counts = Counter(verdict(row, answer) for row, answer in written)
        print(f"{name}: " + ", ".join(f"{counts[kind]} {kind}" for kind in ("right", "left in words", "changed")) + f", of {len(rows)}")
        if arguments.changed:
            for row, answer in written:
                if verdict(row, answer) == "changed":
                    print(f"  {row.spoken} -> {answer} ({row.answers[0]})")


if __name__ == "__main__":
    main()
