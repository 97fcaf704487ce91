"""The curve of the language tags: what a number would make of them, and what a number chosen on half of the recordings is worth."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("torch")

from engine.pipeline import Engine
from engine.tags import Event, Language
from models.starter import language_odds
from models.starter.corpus import CorpusError, Utterance
from models.starter.language_odds import Heard, accuracies, cross_validated, listen, report
from tests.models.starter.small_recipe import CONFIG


def heard(language: str, *, behind: float, share: float = 1.0, other: str = "") -> Heard:
    """A recording in a language whose tag is ``behind`` the best ``other`` one, in log-probability."""
    return Heard(language, {other or ("en" if language == "zh" else "zh"): -1.0, language: -1.0 - behind, "ko": -30.0}, share)


def test_a_number_turns_those_tags_that_are_less_far_behind() -> None:
    every = [heard("yue", behind=2.5), heard("yue", behind=5.5), heard("zh", behind=-4.0), heard("yue", behind=2.5, share=0.5)]
    assert accuracies(every, 0.0, ["yue"]) == {"zh": 1.0, "yue": 0.0}
    assert accuracies(every, 3.0, ["yue"]) == {"zh": 1.0, "yue": pytest.approx(1 / 3)}
    assert accuracies(every, 6.0, ["yue"]) == {"zh": 1.0, "yue": 1.0}
    assert accuracies(every, 6.0, ["en"]) == {"zh": 0.0, "yue": 0.0}


def test_a_number_chosen_on_one_half_does_as_well_on_the_other_where_all_are_alike() -> None:
    every = [heard("yue", behind=4.5) for _ in range(20)] + [heard("zh", behind=-20.0) for _ in range(20)]
    mean, deviation, (low, high) = cross_validated(every, ["yue"])
    assert (mean, deviation, low, high) == (1.0, 0.0, 5.0, 5.0)


def test_what_is_luck_on_one_half_is_none_on_the_other() -> None:
    # Whatever a number wins for one language it loses for the other.
    every = [heard("yue", behind=number + 0.5) for number in range(9)] + [
        heard("en", other="yue", behind=-number - 0.5) for number in range(9)
    ]
    mean, deviation, _ = cross_validated(every, ["yue"])
    best = max(sum(accuracies(every, number, ["yue"]).values()) / 2 for number in language_odds.TRIED)
    assert mean < best and deviation > 0


def test_the_share_is_that_of_the_first_segments_length() -> None:
    spoken = {
        "long.wav": [SimpleNamespace(start_ms=100, end_ms=4_100, probabilities={"language": {"zh": 0.75, "yue": 0.25}})],
        "word.wav": [SimpleNamespace(start_ms=0, end_ms=500, probabilities={"language": {"zh": 1.0, "yue": 0.0}})],
        "noise.wav": [],
    }

    class Ears:
        def transcribe(self, name: str, options: Any) -> SimpleNamespace:
            assert (options.precision, options.itn, options.language) == ("int8", False, "auto")
            return SimpleNamespace(segments=spoken[name])

    utterances = [
        Utterance(
            path=Path(name),
            text=None,
            language=Language.YUE,
            emotion=None,
            event=Event.SPEECH,
            source="cv61_yue",
            speaker="s",
            split="test",
            duration_s=1.0,
        )
        for name in spoken
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language_odds, "load_audio", lambda path: path.name)
        first, second = listen(cast("Engine", Ears()), utterances, precision="int8", full_after_ms=2_000)
    assert first.share == 1.0 and first.log_probs["yue"] == pytest.approx(math.log(0.25))
    assert second.share == 0.25 and second.log_probs["yue"] == pytest.approx(math.log(1e-20))


def test_without_recordings_of_a_raised_language_there_is_no_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_odds, "read_corpus", lambda *_: [])
    with pytest.raises(CorpusError, match="yue or ja or ko"):
        report(tmp_path, tmp_path, CONFIG, precision="fp32")
