"""The model card's tables against the figures they are made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.starter.card import figures_table, fill, training_table
from models.starter.corpus import CorpusError

ROW = {"rate": 0.25, "low": 0.2, "high": 0.3, "utterances": 7, "prompted_rate": 0.24, "language": 1.0, "segments": 7}
FIGURES = {
    "fp32": {
        "English sentences (CER)": ROW,
        "events (unweighted accuracy)": {"rate": 0.8, "classes": {"BGM": 1.0, "Cry": 0.6}, "utterances": 20},
        "VAD frames (F1)": {"f1": 0.9, "miss": 0.1, "false_alarm": 0.05, "seconds": 90.0},
    },
    "int8": {
        "English sentences (CER)": ROW | {"rate": 0.26},
        "events (unweighted accuracy)": {"rate": 0.75, "classes": {"BGM": 1.0, "Cry": 0.5}, "utterances": 20},
        "VAD frames (F1)": {"f1": 0.899, "miss": 0.1, "false_alarm": 0.05, "seconds": 90.0},
        "against FP32": {"cer_points": 0.3, "low": -0.1, "high": 0.7, "tags_equal": 0.985},
    },
}


def test_the_table_has_every_figure() -> None:
    table = figures_table(FIGURES)
    lines = table.splitlines()
    assert lines[0] == "| slice | n | FP32 | INT8 |"
    assert lines[2] == "| English sentences (CER) | 7 | 25.0 % [20.0–30.0]; prompted 24.0 % | 26.0 % [20.0–30.0]; prompted 24.0 % |"
    assert "| 90 s | 0.900 (miss 10.0 %, false alarm 5.0 %) |" in lines[4]
    assert "BGM 100 %, Cry 60 %" in table
    assert "INT8 against FP32: +0.30 points of CER over all slices [-0.10, +0.70], 98.5 % of the tags alike." in table
    assert all(line.count("|") == 5 for line in lines[:5])


def test_a_vad_that_was_not_scored_has_no_row() -> None:
    figures = {"fp32": {**FIGURES["fp32"], "VAD frames (F1)": None}}
    assert "VAD" not in figures_table(figures)


def test_the_training_log_becomes_a_table(tmp_path: Path) -> None:
    log = tmp_path / "asr.log.jsonl"
    entry = {"epoch": 0, "step": 9, "minutes": 3.4, "ctc": 4.6412, "english_cer": 0.951, "sounds": 3.0}
    log.write_text(json.dumps(entry) + "\n", encoding="utf-8")
    assert training_table(log).splitlines() == [
        "| epoch | minutes | CTC loss a unit | English CER |",
        "|---|---|---|---|",
        "| 0 | 3 | 4.64 | 95 % |",
    ]
    with pytest.raises(CorpusError, match="train"):
        training_table(tmp_path / "nothing.jsonl")


def test_a_card_is_filled_and_filled_again(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n", encoding="utf-8")
    for text in ("new", "newer"):
        fill(card, "figures", text)
        assert card.read_text(encoding="utf-8") == f"before\n<!-- figures: begin -->\n{text}\n<!-- figures: end -->\nafter\n"
    with pytest.raises(CorpusError, match="'training'"):
        fill(card, "training", "x")
