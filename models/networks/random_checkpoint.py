"""A checkpoint in the official layout with random weights: the same compute and memory as the real one.

For export, parity, quantization and speed where the official weights cannot be had. Its transcripts mean nothing,
and its bundle says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from sentencepiece import sentencepiece_model_pb2

from engine.tags import TAG_POSITIONS, Emotion, Event, TextNorm, piece_of
from models.bundle.cmvn import write_cmvn
from models.bundle.disk import require_space
from models.bundle.upstream_layout import RANDOM_MARK
from models.networks.fsmn_vad import FsmnVad
from models.networks.sensevoice import SenseVoice, SenseVoiceConfig

FULL_PIECES = 25_055
TINY_PIECES = 400
#: Where the official vocabulary keeps the first tag of each family; the rest follow in the order of ``engine.tags``.
FULL_TAG_IDS = {"zh": 24884, "en": 24885, "yue": 24888, "ja": 24892, "ko": 24896, "nospeech": 24992}
FIRST_EVENT_ID, FIRST_EMOTION_ID, FIRST_TEXTNORM_ID = 24993, 25001, 25016
CHECKPOINT_BYTES = {"full": 940_000_000, "tiny": 4_000_000}
SIZES: dict[str, dict[str, Any]] = {
    "full": {"output_size": 512, "attention_heads": 4, "linear_units": 2048, "num_blocks": 50, "tp_blocks": 20, "kernel_size": 11},
    "tiny": {"output_size": 64, "attention_heads": 4, "linear_units": 128, "num_blocks": 2, "tp_blocks": 1, "kernel_size": 11},
}
#: FSMN-VAD's own thresholds, as its config.yaml states them.
VAD_MODEL = {
    "sample_rate": 16000,
    "detect_mode": 1,
    "snr_mode": 0,
    "max_end_silence_time": 800,
    "max_start_silence_time": 3000,
    "do_start_point_detection": True,
    "do_end_point_detection": True,
    "window_size_ms": 200,
    "sil_to_speech_time_thres": 150,
    "speech_to_sil_time_thres": 150,
    "speech_2_noise_ratio": 1.0,
    "do_extend": 1,
    "lookback_time_start_point": 200,
    "lookahead_time_end_point": 100,
    "max_single_segment_time": 60000,
    "snr_thres": -100.0,
    "noise_frame_num_used_for_snr": 100,
    "decibel_thres": -100.0,
    "speech_noise_thres": 0.6,
    "fe_prior_thres": 0.0001,
    "silence_pdf_num": 1,
    "sil_pdf_ids": [0],
    "speech_noise_thresh_low": -0.1,
    "speech_noise_thresh_high": 0.3,
    "output_frame_probs": False,
    "frame_in_ms": 10,
    "frame_length_ms": 25,
}


def _tag_ids(pieces: int) -> dict[str, int]:
    if pieces < FULL_PIECES:
        tags = [tag for family in TAG_POSITIONS for tag in family]
        return {piece_of(tag): pieces - len(tags) + index for index, tag in enumerate(tags)}
    ids = {f"<|{name}|>": index for name, index in FULL_TAG_IDS.items()}
    ids |= {piece_of(tag): FIRST_EMOTION_ID + index for index, tag in enumerate(Emotion)}
    # Upstream's events lie between 24993 and 25000 and above the emotions; here the overflow goes above them too.
    free = [index for index in range(FIRST_EVENT_ID, FULL_PIECES) if index not in ids.values() and index not in (25016, 25017)]
    ids |= {piece_of(tag): free[index] for index, tag in enumerate(Event)}
    return ids | {piece_of(tag): FIRST_TEXTNORM_ID + index for index, tag in enumerate(TextNorm)}


def write_bpe_model(path: Path, *, pieces: int) -> None:
    """Write a sentencepiece model of ``pieces`` pieces: three control pieces, letters and made-up words, the tags."""
    proto = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]  # protobuf makes its classes at import
    proto.trainer_spec.model_type = proto.trainer_spec.BPE
    proto.trainer_spec.vocab_size = pieces
    proto.normalizer_spec.name = "identity"
    tags = {index: piece for piece, index in _tag_ids(pieces).items()}
    letters = [f"▁{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"] + list("abcdefghijklmnopqrstuvwxyz")
    for index in range(pieces):
        entry = proto.pieces.add()
        entry.score = float(-index)
        if index < 3:
            entry.piece, entry.type = ("<unk>", "<s>", "</s>")[index], (2, 3, 3)[index]
        elif index in tags:
            entry.piece, entry.type = tags[index], 4
        elif index - 3 < len(letters):
            entry.piece, entry.type = letters[index - 3], 1
        else:
            entry.piece, entry.type = f"▁w{index}", 1
    path.write_bytes(proto.SerializeToString())


def _write(folder: Path, *, network: torch.nn.Module, prefix: str, config: dict[str, Any], features: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "model.pt.partial"
    torch.save({prefix + name: value for name, value in network.state_dict().items()}, partial)
    partial.replace(folder / "model.pt")
    (folder / "config.yaml").write_text(yaml.safe_dump({**config, RANDOM_MARK: True}, sort_keys=False), encoding="utf-8")
    write_cmvn(folder / "am.mvn", means=np.full(features, 8.5), deviations=np.full(features, 5.0))


def write_random_checkpoint(folder: Path, *, size: str = "full", seed: int = 9527) -> None:
    """Write ``folder`` (SenseVoice) and ``folder/vad`` (FSMN-VAD) with random weights; ``size`` is ``full`` or ``tiny``."""
    require_space(folder, CHECKPOINT_BYTES[size])
    torch.manual_seed(seed)
    pieces = FULL_PIECES if size == "full" else TINY_PIECES
    encoder = SIZES[size]
    network = SenseVoice(SenseVoiceConfig(vocab_size=pieces, **encoder))
    frontend = {"fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10}
    config = {
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {
            **encoder,
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "attention_dropout_rate": 0.1,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "sanm_shfit": 0,
            "selfattention_layer_type": "sanm",
        },
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": {**frontend, "lfr_m": 7, "lfr_n": 6, "cmvn_file": None},
    }
    _write(folder, network=network, prefix="", config=config, features=560)
    write_bpe_model(folder / "chn_jpn_yue_eng_ko_spectok.bpe.model", pieces=pieces)
    vad = FsmnVad()
    vad_config = {
        "model": "FsmnVADStreaming",
        "encoder": "FSMN",
        "encoder_conf": {**vars(vad.config), "rorder": 0, "lstride": 1, "rstride": 0},
        "frontend": "WavFrontendOnline",
        "frontend_conf": {**frontend, "dither": 0.0, "lfr_m": 5, "lfr_n": 1, "cmvn_file": None},
        "model_conf": VAD_MODEL,
    }
    _write(folder / "vad", network=vad, prefix="encoder.", config=vad_config, features=400)
