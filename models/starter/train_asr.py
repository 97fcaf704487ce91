"""Train the starter's SenseVoice: CTC on the text, cross-entropy on the four tag positions.

Resumable: after each epoch the network, the optimizer and the log are saved; a second call goes on from there.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.sensevoice import PROMPT_POSITIONS, SenseVoice, SenseVoiceConfig
from models.starter.batches import Batch, BatchMaker
from models.starter.prepare import FeatureStore, Item

log = logging.getLogger(__name__)
MAX_POSITIONS = 1024


def network_config(config: dict[str, Any], *, vocab_size: int) -> SenseVoiceConfig:
    """The sizes in ``config.yaml`` as a SenseVoiceConfig."""
    return SenseVoiceConfig(vocab_size=vocab_size, **config["asr"])


def losses(model: SenseVoice, batch: Batch) -> tuple[Tensor, Tensor]:
    """CTC loss per target unit and tag cross-entropy of one batch."""
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(batch.speech, batch.language, batch.textnorm, batch.lengths)
    logits = logits.float()
    tags = functional.cross_entropy(logits[:, :PROMPT_POSITIONS].transpose(1, 2), batch.tags, ignore_index=-1)
    rows = batch.has_text
    if not bool(rows.any()):
        return logits.sum() * 0.0, tags
    log_probs = logits[rows, PROMPT_POSITIONS:].log_softmax(-1).transpose(0, 1)
    ctc = functional.ctc_loss(
        log_probs, batch.targets, batch.lengths[rows], batch.target_lengths[rows], reduction="none", zero_infinity=True
    )
    return ctc.sum() / max(int(batch.target_lengths[rows].sum()), int(rows.sum())), tags


def learning_rate(done: float, *, peak: float, warmup_fraction: float) -> float:
    """Linear warm-up from a hundredth of the peak, then half a cosine back to it; ``done`` is the share trained, in [0, 1]."""
    if done < warmup_fraction:
        return peak * max(0.01, done / warmup_fraction)
    progress = min(1.0, (done - warmup_fraction) / (1 - warmup_fraction))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.inference_mode()
def decode(model: SenseVoice, maker: BatchMaker, frames: np.ndarray) -> tuple[list[int], list[int]]:
    """Greedy decoding of one utterance with the prompts auto and woitn: -> (unit ids, tag ids)."""
    speech = torch.from_numpy(maker.normalize(frames))[None]
    best = model(speech, torch.tensor([0]), torch.tensor([15]))[0].argmax(-1)
    text = torch.unique_consecutive(best[PROMPT_POSITIONS:])
    return [int(unit) for unit in text if unit != 0], best[:PROMPT_POSITIONS].tolist()


def spell(pieces: list[str], units: list[int]) -> str:
    """Unit ids to text, tags left out."""
    return "".join(pieces[unit] for unit in units if not pieces[unit].startswith("<|")).replace("▁", " ").strip()


def held_out_items(store: FeatureStore, *, limit: int = 120) -> dict[str, list[Item]]:
    """A few held-out utterances of each slice, for the log; the full figures come from ``evaluate``."""
    digits = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}
    test = [item for item in store.items if item.split == "test"]
    ocean = [item for item in test if item.source == "speechocean762"]
    return {
        "digits": [item for item in ocean if set(str(item.text).split()) <= digits],
        "english": [item for item in ocean if not set(str(item.text).split()) <= digits][:limit],
        "mandarin": [item for item in test if item.language == "zh" and item.targets][:limit],
        "emotion": [item for item in test if item.source == "ravdess"],
        "events": [item for item in test if item.source == "esc10"],
    }


def evaluate(model: SenseVoice, maker: BatchMaker, slices: dict[str, list[Item]]) -> dict[str, float]:
    """Error rates of the held-out slices, in [0, 1]."""
    model.eval()
    pieces = maker.store.pieces
    figures: dict[str, float] = {}
    language: list[bool] = []
    for name, items in slices.items():
        outputs = [decode(model, maker, maker.store.frames(item)) for item in items]
        texts = [spell(pieces, units) for units, _ in outputs]
        references = [str(item.text) for item in items]
        if name == "digits" and items:
            figures["digits_wer"] = jiwer.wer(references, texts)
        if name in ("english", "mandarin") and items:
            figures[f"{name}_cer"] = jiwer.cer(references, texts)
        if name == "emotion" and items:
            figures["emotion_accuracy"] = float(np.mean([tags[1] == item.tags[1] for item, (_, tags) in zip(items, outputs, strict=True)]))
        if name == "events" and items:
            figures["nospeech_accuracy"] = float(np.mean([tags[0] == item.tags[0] for item, (_, tags) in zip(items, outputs, strict=True)]))
        if name in ("english", "mandarin"):
            language += [tags[0] == item.tags[0] for item, (_, tags) in zip(items, outputs, strict=True)]
    figures["language_accuracy"] = float(np.mean(language)) if language else float("nan")
    return figures


class Trainer:
    """One training of the starter's ASR network in a work folder."""

    def __init__(self, store: FeatureStore, config: dict[str, Any], work: Path) -> None:
        self.settings = config["train_asr"]
        torch.manual_seed(config["seed"])
        self.maker = BatchMaker(store, config)
        self.model = SenseVoice(
            network_config(config, vocab_size=len(store.pieces)), dropout=self.settings["dropout"], max_positions=MAX_POSITIONS
        )
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4, betas=(0.9, 0.98), weight_decay=self.settings["weight_decay"])
        self.work = work
        self.first_epoch, self.step = 0, 0
        self.recent: deque[Path] = deque(maxlen=self.settings["average_last"])
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last finished epoch lies."""
        return self.work / "asr.checkpoint.pt"

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.first_epoch, self.step = state["epoch"] + 1, state["step"]
        self.recent.extend(Path(path) for path in state["recent"] if Path(path).exists())
        log.info("resumed after epoch %d, step %d", state["epoch"], self.step)

    def _save(self, epoch: int) -> None:
        weights = self.work / f"asr.epoch-{epoch:03d}.pt"
        torch.save(self.model.state_dict(), weights)
        if len(self.recent) == self.recent.maxlen:
            self.recent[0].unlink(missing_ok=True)
        self.recent.append(weights)
        partial = self.checkpoint.with_suffix(".partial")
        recent = [str(path) for path in self.recent]
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": epoch,
            "step": self.step,
            "recent": recent,
        }
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def run(self, *, epochs: int | None = None) -> Path:
        """Train to the end; returns the averaged weights' path."""
        epochs = epochs or self.settings["epochs"]
        slices = held_out_items(self.maker.store)
        for epoch in range(self.first_epoch, epochs):
            epoch_started = time.monotonic()
            mean = self._one_epoch(epoch, epochs)
            figures = evaluate(self.model, self.maker, slices)
            self._save(epoch)
            entry = {"epoch": epoch, "step": self.step, "seconds": round(time.monotonic() - epoch_started), **mean}
            entry |= {name: round(value, 4) for name, value in figures.items()}
            with (self.work / "asr.log.jsonl").open("a", encoding="utf-8") as handle:
                handle.write(json.dumps(entry) + "\n")
            log.info("%s", entry)
        return self.average()

    def _one_epoch(self, epoch: int, epochs: int) -> dict[str, float]:
        self.model.train()
        settings = self.settings
        sums, count = np.zeros(2), 0
        plan = self.maker.plan(epoch)
        for batch in self.maker.epoch(epoch, plan):
            done = (epoch + count / len(plan)) / epochs
            rate = learning_rate(done, peak=settings["peak_learning_rate"], warmup_fraction=settings["warmup_fraction"])
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            ctc, tags = losses(self.model, batch)
            self.optimizer.zero_grad(set_to_none=True)
            (ctc + settings["tag_loss_weight"] * tags).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings["gradient_clip"])
            self.optimizer.step()
            self.step += 1
            count += 1
            sums += (ctc.item(), tags.item())
            if count % 100 == 0:
                log.info("epoch %d batch %d: ctc %.3f tags %.3f rate %.5f", epoch, count, *(sums / count), rate)
        return {"ctc": round(float(sums[0] / count), 4), "tags": round(float(sums[1] / count), 4)}

    def average(self) -> Path:
        """Average the weights of the last epochs and save them."""
        states = [torch.load(path, weights_only=True) for path in self.recent]
        mean = {name: sum(state[name].float() for state in states) / len(states) for name in states[0]}
        path = self.work / "asr.averaged.pt"
        torch.save(mean, path)
        return path
