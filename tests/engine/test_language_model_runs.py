"""A bundle's language model through the whole engine: every segment is decoded with it, and what it holds is checked when it is opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.waveform import Waveform
from engine.bundle import Bundle
from engine.errors import BundleFileMissingError, BundleFormatError
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.speech.decoding.beam_search import BEAM
from engine.speech.decoding.hotwords import Hotword
from engine.speech.decoding.language_model import PIECES as OF_PIECES
from engine.speech.decoding.language_model import START, STOP, UNKNOWN, LanguageModel
from engine.speech.decoding.top_tokens import TopTokens
from engine.speech.parts import Parts
from models.bundle.manifest import read_manifest, write_manifest
from tests.named_recording import NAME, RIGHT, WRONG, name_said, write_bundle
from tests.tiny_graphs import PIECES

SETTINGS = {"file": "language-model.npz", "weight": 0.5, "unit_bonus": 2.0, "beam": 4}


def write_model(path: Path) -> None:
    """A model of pieces that knows 你 and 好, and next to nothing else."""
    units = [START, STOP, UNKNOWN, "你", "好"]
    log_probs = np.log([1e-6, 0.2, 1e-6, 0.4, 0.4]).astype(np.float32)
    model = LanguageModel(units, [np.arange(5, dtype=np.uint64)], [log_probs], [np.zeros(5, np.float32)], kind=OF_PIECES)
    model.save(path)


@pytest.fixture
def open_with(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """``open_with(settings)``: an engine on a bundle whose manifest has these settings of a language model."""
    opened: list[Engine] = []

    def open_with(settings: dict[str, Any] | None = SETTINGS, *, searches: bool = True) -> Engine:
        folder = write_bundle(tmp_path / "bundle", searches=searches)
        write_model(folder / SETTINGS["file"])
        write_manifest(folder, read_manifest(folder) | ({"language_model": settings} if settings else {}))
        opened.append(Engine(Bundle.load(folder)))
        return opened[-1]

    yield open_with
    for engine in opened:
        engine.close()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_segment_is_read_with_it_without_being_asked_for(open_with: Callable[..., Engine], precision: str) -> None:
    transcript = open_with().transcribe(Waveform(name_said()), TranscribeOptions(precision=precision))
    assert transcript.text == RIGHT and transcript.warnings == ()
    [segment] = transcript.segments
    assert [token.text for token in segment.tokens] == list(RIGHT) and segment.alternatives == ()
    assert all(0 < token.confidence <= 1 for token in segment.tokens)


def test_without_one_the_best_token_of_each_frame_counts(open_with: Callable[..., Engine]) -> None:
    assert open_with(None).transcribe(Waveform(name_said())).text == WRONG


def test_hotwords_and_readings_come_beside_it(open_with: Callable[..., Engine]) -> None:
    options = TranscribeOptions(hotwords=(Hotword("s好", 9.0),), n_best=2)
    [segment] = open_with().transcribe(Waveform(name_said()), options).segments
    assert segment.text == WRONG and segment.alternatives[0].text == WRONG and len(segment.alternatives) == 2


@pytest.mark.parametrize(("settings", "widths"), [(SETTINGS, [4, 8]), (None, [BEAM, BEAM])])
def test_with_hotwords_beside_it_the_beam_is_wider(
    open_with: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any] | None, widths: list[int]
) -> None:
    beams = []
    monkeypatch.setattr("engine.speech.parts.BeamDecoder", lambda *_, beam, **__: beams.append(beam))
    parts = Parts.load(open_with(settings).bundle)
    for hotwords in ((), (Hotword(NAME),)):
        parts.decoder(TranscribeOptions(hotwords=hotwords))
    assert beams == widths


def test_graphs_that_cannot_be_searched_are_decoded_greedily(open_with: Callable[..., Engine]) -> None:
    assert open_with(searches=False).transcribe(Waveform(name_said())).text == WRONG


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"file": "../elsewhere.npz"}, "not a plain file name"),
        ({"file": "none.npz"}, "none.npz is used but not among its files"),
        ({"weight": 0.0}, "weight"),
        ({"beam": 0}, "beam"),
    ],
)
def test_settings_that_cannot_be_are_refused(open_with: Callable[..., Engine], changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleFormatError, match=said):
        open_with(SETTINGS | changed)


def test_a_file_that_is_no_model_or_has_gone_is_named(open_with: Callable[..., Engine], tmp_path: Path) -> None:
    engine = open_with()
    path = engine.bundle.path(SETTINGS["file"])
    path.write_bytes(b"no model")
    with pytest.raises(BundleFormatError, match=r"language-model\.npz.*no language model"):
        engine.transcribe(Waveform(name_said()))
    path.unlink()
    with pytest.raises(BundleFileMissingError, match=r"language-model\.npz"):
        engine.transcribe(Waveform(name_said()))
    assert json.loads((tmp_path / "bundle" / "bundle.json").read_text())["language_model"] == SETTINGS


def test_noise_of_which_the_network_says_nothing_gets_no_words(open_with: Callable[..., Engine]) -> None:
    decoder = Parts.load(open_with().bundle).decoder(TranscribeOptions())
    likely = np.log(np.array([[0.6, 0.4], [0.6, 0.4]], np.float32))  # a bonus of 2 nats outweighs this
    assert decoder.decode(TopTokens(np.array([[0, PIECES.index("你")]] * 2), likely)).emissions == ()
