"""What all benchmarks share: their options, their tables, their child processes and their files of figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.command_line import figures_parser, markdown_table, print_bar, run_in_process, write_figures


def test_every_parser_takes_a_file_for_its_figures(tmp_path: Path) -> None:
    parser = figures_parser("callers", "what it measures")
    assert parser.prog == "python -m benchmarks.callers"
    file = parser.parse_args(["--json", str(tmp_path / "figures.json")]).json
    write_figures(file, {"ms": 1.5})
    assert json.loads(file.read_text()) == {"ms": 1.5}
    write_figures(parser.parse_args([]).json, {"ms": 1.5})
    assert [path.name for path in tmp_path.iterdir()] == ["figures.json"]


def test_a_table_has_numbers_on_the_right_and_no_bar_within_a_cell() -> None:
    table = markdown_table(("name", "ms"), [("a|b", 12), ("c", "–")])
    assert table.splitlines() == ["| name | ms |", "| --- | ---: |", "| a b | 12 |", "| c | – |"]


def test_a_child_process_answers_with_its_last_line_or_with_its_error() -> None:
    assert run_in_process("-c", "print('loading'); print('{\"workers\": 2}')") == {"workers": 2}
    with pytest.raises(SystemExit, match="no such bundle"):
        run_in_process("-c", "raise SystemExit('no such bundle')")


@pytest.mark.parametrize(("measured", "word"), [(1.05, "met"), (1.06, "missed")])
def test_a_bar_is_met_up_to_its_limit(measured: float, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_bar("growth", measured, 1.05)
    assert capsys.readouterr().out == f"{word:7}growth: {measured:g}, bar 1.05\n"
