"""The starter's recipe at a size that trains in seconds, and the features of a few utterances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml

from models.starter import corpus
from models.starter.units import UnitEncoder, learn_units

CONFIG = yaml.safe_load((Path(corpus.__file__).parent / "config.yaml").read_text(encoding="utf-8"))


ENGLISH = ["one two three", "we call it bear", "the cat sat on the mat", "zero nine five eight", "quick brown fox jumps over lazy dogs"]


def small_store(folder: Path) -> Path:
    """A feature store of 24 noisy utterances in two voices, written by hand."""
    pieces, model = learn_units(ENGLISH, [], english_units=45, mandarin_min_count=2)
    encoder, ids = UnitEncoder(pieces, model), {piece: index for index, piece in enumerate(pieces)}
    rng, frames, items = np.random.default_rng(0), [], []
    for index in range(24):
        text = ENGLISH[index % len(ENGLISH)]
        items.append(
            {
                "offset": sum(map(len, frames)),
                "frames": 240,
                "targets": encoder.encode(text, characters=False),
                "text": text,
                "tags": [ids["<|en|>"], ids["<|NEUTRAL|>"], ids["<|Speech|>"]],
                "language": "en",
                "source": "fsdd" if index < 4 else "speechocean762",
                "speaker": f"s{index % 2}",
                "split": "train" if index < 20 else "test",
                "path": "",
            }
        )
        frames.append(rng.normal(0, 1, (240, 80)))
    np.concatenate(frames).astype(np.float16).tofile(folder / "fbank.f16")
    np.savez(folder / "cmvn.npz", means=np.zeros(80), deviations=np.ones(80))
    (folder / "store.json").write_text(json.dumps({"pieces": pieces, "items": items}), encoding="utf-8")
    return folder


def small_config() -> dict:
    config = json.loads(json.dumps(CONFIG))
    config["corpus"]["digit_strings"] = 4
    config["asr"] |= {"output_size": 32, "attention_heads": 4, "linear_units": 32, "num_blocks": 1, "tp_blocks": 1}
    config["train_asr"] |= {
        "epochs": 2,
        "head_share": 0.0,
        "peak_learning_rate": 0.0015,
        "batch_frames": 200,
        "sounds_after_block": 1,
        "short_first_s": [],
        "dropout": 0.0,
    }
    config["train_vad"] |= {"steps": 12, "window_frames": 60, "batch_windows": 2}
    return config
