"""A comparison as files: JSON that parses to what was shown, Markdown with the table, whatever the recording said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.audio.waveform import load_audio
from tests.ui.fake_engine import FakeEngine
from ui.compare.exports import comparison_markdown, write_comparison
from ui.compare.reference_html import reference_html, score_sides
from ui.text.texts import Texts

ENGLISH, CHINESE = Texts("en"), Texts("zh")


@pytest.fixture
def values(two_words: Path) -> dict[str, Any]:
    return FakeEngine().compare(load_audio(two_words), rounds=2).to_dict()


def table_rows(markdown: str) -> list[list[str]]:
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in markdown.splitlines() if line.startswith("|")]


def test_the_markdown_has_the_figures_as_a_table(values: dict[str, Any]) -> None:
    report = {**values, "reference": score_sides("three one four one five", values)}
    markdown = comparison_markdown(report, ENGLISH)
    rows = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in table_rows(markdown)}
    assert rows["Model files"] == ["11 MB", "3.1 MB"]
    assert rows["Compute time, median of 2 runs"] == ["100 ms", "60 ms"]
    assert rows["Segments"] == ["2", "2"]
    assert rows["Word error rate \\(WER\\)"] == ["20 %", "20 %"]
    assert "0 wrong, 0 missing, 1 added, of 5" in markdown
    assert {len(row) for row in table_rows(markdown)} == {3}
    assert "对比：FP32 与 INT8" in comparison_markdown(report, CHINESE)


def test_the_json_holds_everything(values: dict[str, Any], tmp_path: Path) -> None:
    report = {**values, "reference": score_sides("three", values)}
    markdown, path = write_comparison(report, tmp_path / "exports", stem="talk-comparison", texts=ENGLISH)
    assert json.loads(path.read_text(encoding="utf-8")) == report
    assert (markdown.name, path.name) == ("talk-comparison.md", "talk-comparison.json")
    again, _ = write_comparison(report, tmp_path / "exports", stem="talk-comparison", texts=ENGLISH)
    assert again != markdown  # a download that somebody still has open is not written over


def test_what_was_said_never_becomes_markup(values: dict[str, Any]) -> None:
    nasty = "# no | title <script>alert(1)</script>\n\n| a | b |\n*bold* [link](x) `code`"
    values["left"]["text"] = nasty
    values["file"] = nasty
    markdown = comparison_markdown({**values, "reference": score_sides(nasty, values)}, ENGLISH)
    assert "<script" not in markdown.replace("\\<", "")
    assert {len(row) for row in table_rows(markdown)} == {3}
    assert not re.search(r"(?<!\\)\]\(", markdown)
    assert sum(line.startswith("# ") for line in markdown.splitlines()) == 1


def test_a_recording_without_speech_is_a_short_report(values: dict[str, Any]) -> None:
    values["tags"] |= {"agreement": None, "segments": []}
    for side in ("left", "right"):
        values[side] |= {"text": "", "segments": []}
    values["text"] = {"unit": "word", "diff": [], "edits": 0, "distance": 0.0, "equal": True}
    markdown = comparison_markdown({**values, "reference": None}, ENGLISH)
    assert "Neither side found speech" in markdown
    assert "Tag agreement" not in markdown


def test_without_a_reference_there_are_no_scores(values: dict[str, Any]) -> None:
    assert score_sides("  \n", values) is None
    assert reference_html(None, ("FP32", "INT8"), ENGLISH) == ""


@pytest.mark.parametrize(
    ("reference", "said", "unsaid"),
    [
        ("three one four one five nine", "Word error rate", "another script"),
        ("三一四一五九", "FP32: the reference is written in another script", "error rate (CER)"),
        ("…", "holds no words", "error rate (CER)"),
    ],
)
def test_scores_are_shown_or_the_reason_why_not(values: dict[str, Any], reference: str, said: str, unsaid: str) -> None:
    html = reference_html(score_sides(reference, values), ("FP32", "INT8"), ENGLISH)
    assert said in html
    assert unsaid not in html
    assert "switch ITN off" in html


def test_mandarin_is_counted_in_characters(values: dict[str, Any]) -> None:
    for side, text in (("left", "今天天气很好"), ("right", "今天天气很坏")):
        values[side]["text"] = text
    html = reference_html(score_sides("今天，天气很好！", values), ("FP32", "INT8"), ENGLISH)
    assert "17 %" in html
    assert "no words to count" in html
    assert "Word error rate" not in html
