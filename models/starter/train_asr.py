"""Train the starter's SenseVoice: CTC on the text, CTC on the sounds in the middle, cross-entropy on the four tag positions.

Resumable: the network, the optimizer and the place in the epoch are saved every few hundred batches; a second call goes on from there.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.sensevoice import PROMPT_POSITIONS, SenseVoice, SenseVoiceConfig
from models.starter.batches import Batch, BatchMaker
from models.starter.optimizers import Optimizers
from models.starter.prepare import FeatureStore, Item
from models.starter.warm_start import begin_with

log = logging.getLogger(__name__)
MAX_POSITIONS = 1024
CHECKPOINT = "asr.checkpoint.pt"
LOG_EVERY, SAVE_EVERY = 100, 400


@dataclass(frozen=True)
class Progress:
    """How far a training has come: the next batch of the running epoch, and what it cost."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    spent_s: float = 0.0
    best: float = math.inf
    epochs_without_gain: int = 0

    def after_epoch(self, figures: dict[str, float], *, patience_over: float) -> Progress:
        """The next epoch's start; a mean error rate that fell by less than ``patience_over`` counts as no gain."""
        rates = [value for name, value in figures.items() if name.endswith(("_cer", "_wer"))]
        mean = float(np.mean(rates)) if rates else math.inf
        gained = mean < self.best - patience_over or not rates
        idle = 0 if gained else self.epochs_without_gain + 1
        return replace(self, epoch=self.epoch + 1, batch=0, best=min(self.best, mean), epochs_without_gain=idle)


def network_config(config: dict[str, Any], *, vocab_size: int) -> SenseVoiceConfig:
    """The sizes in ``config.yaml`` as a SenseVoiceConfig."""
    return SenseVoiceConfig(vocab_size=vocab_size, **config["asr"])


class Learner(nn.Module):
    """The network, and what leaves with the training: a layer that spells the middle of the encoder in sounds."""

    def __init__(self, network: SenseVoice, *, sounds: int, tap: int) -> None:
        super().__init__()
        self.network, self.tap = network, tap
        self.sounds = nn.Linear(network.config.output_size, sounds)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """-> logits (B, T + 4, V) and sound logits (B, T, S)."""
        taps: dict[int, Tensor] = {self.tap: torch.empty(0)}
        encoded = self.network.encode(batch.speech, batch.language, batch.textnorm, batch.lengths, taps=taps)
        return self.network.ctc(encoded), self.sounds(taps[self.tap][:, PROMPT_POSITIONS:])


def ctc_per_unit(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, rows: Tensor) -> Tensor:
    """CTC loss of the rows that have targets, per target unit; logits are (B, T, V)."""
    if not bool(rows.any()):
        return logits.sum() * 0.0
    log_probs = logits[rows].log_softmax(-1).transpose(0, 1)
    loss = functional.ctc_loss(log_probs, targets, lengths[rows], target_lengths[rows], reduction="none", zero_infinity=True)
    return loss.sum() / max(int(target_lengths[rows].sum()), int(rows.sum()))


LOSSES = ("ctc", "sounds", "tags", "emotion")


def losses(learner: Learner, batch: Batch) -> tuple[Tensor, ...]:
    """CTC loss per text unit, CTC loss per sound, cross-entropy of language, event and text norm, and that of emotion."""
    with torch.autocast(batch.speech.device.type, torch.bfloat16):
        logits, sounds = learner(batch)
    logits, sounds = logits.float(), sounds.float()
    others = [0, 2, 3]  # positions of language, event, text norm
    tags = functional.cross_entropy(logits[:, others].transpose(1, 2), batch.tags[:, others], ignore_index=-1)
    known = batch.tags[:, 1] >= 0
    emotion = functional.cross_entropy(logits[known, 1], batch.tags[known, 1]) if bool(known.any()) else logits.sum() * 0.0
    ctc = ctc_per_unit(logits[:, PROMPT_POSITIONS:], batch.lengths, batch.targets, batch.target_lengths, batch.has_text)
    return ctc, ctc_per_unit(sounds, batch.lengths, batch.sounds, batch.sound_lengths, batch.has_sounds), tags, emotion


def learning_rate(done: float, *, peak: float, warmup_fraction: float) -> float:
    """Linear warm-up from a hundredth of the peak, then half a cosine back to it; ``done`` is the share trained, in [0, 1]."""
    if done < warmup_fraction:
        return peak * max(0.01, done / warmup_fraction)
    progress = min(1.0, (done - warmup_fraction) / (1 - warmup_fraction))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


@torch.inference_mode()
def decode(model: SenseVoice, maker: BatchMaker, frames: np.ndarray) -> tuple[list[int], list[int]]:
    """Greedy decoding of one utterance with the prompts auto and woitn: -> (unit ids, tag ids)."""
    device = next(model.parameters()).device
    speech = torch.from_numpy(maker.normalize(frames))[None].to(device)
    best = model(speech, torch.tensor([0], device=device), torch.tensor([15], device=device))[0].argmax(-1)
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
        "events": [item for item in test if item.source in ("esc10", "made-events")],
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
            figures["event_accuracy"] = float(np.mean([tags[2] == item.tags[2] for item, (_, tags) in zip(items, outputs, strict=True)]))
        if name in ("english", "mandarin"):
            language += [tags[0] == item.tags[0] for item, (_, tags) in zip(items, outputs, strict=True)]
    figures["language_accuracy"] = float(np.mean(language)) if language else float("nan")
    return figures


class Trainer:
    """One training of the starter's ASR network in a work folder; a second one in the same folder goes on from the last checkpoint."""

    def __init__(self, store: FeatureStore, config: dict[str, Any], work: Path, *, init: Path | None = None) -> None:
        self.settings = config["train_asr"]
        torch.manual_seed(config["seed"])
        torch.set_flush_denormal(True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.maker = BatchMaker(store, config)
        network = SenseVoice(
            network_config(config, vocab_size=len(store.pieces)), dropout=self.settings["dropout"], max_positions=MAX_POSITIONS
        )
        self.learner = Learner(network, sounds=max(1, len(store.sounds)), tap=self.settings["sounds_after_block"]).to(self.device)
        self.model = network
        if init is not None and not (work / CHECKPOINT).exists():
            begin_with(network, init, pieces=store.pieces)
        self.optimizers = Optimizers(self.learner, name=self.settings["optimizer"], weight_decay=self.settings["weight_decay"])
        self.work = work
        self.progress = Progress()
        self.recent: deque[Path] = deque(maxlen=self.settings["average_last"])
        self._resume()

    @property
    def checkpoint(self) -> Path:
        """Where the latest state lies."""
        return self.work / CHECKPOINT

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        self.learner.load_state_dict(state["learner"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.progress = Progress(**state["progress"])
        self.recent.extend(Path(path) for path in state["recent"] if Path(path).exists())
        log.info("resumed: %s", self.progress)

    def _save(self) -> None:
        partial = self.checkpoint.with_suffix(".partial")
        state = {
            "learner": self.learner.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "progress": vars(self.progress),
            "recent": [str(path) for path in self.recent],
        }
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _keep_epoch(self, epoch: int) -> None:
        weights = self.work / f"asr.epoch-{epoch:03d}.pt"
        torch.save(self.model.state_dict(), weights)
        if len(self.recent) == self.recent.maxlen:
            self.recent[0].unlink(missing_ok=True)
        self.recent.append(weights)

    def run(self, *, epochs: int | None = None, minutes: float | None = None) -> Path:
        """Train to the end; returns the averaged weights' path.

        ``minutes`` is a budget of training time over all calls: the learning rate then falls with the time spent, and the training
        ends with it, whatever the machine gets done. Without it the rate falls with the epochs.
        """
        from tensorboardX import SummaryWriter

        epochs = epochs or self.settings["epochs"]
        slices = held_out_items(self.maker.store)
        with SummaryWriter(str(self.work / "tensorboard")) as board:
            while self.progress.epoch < epochs and not self._has_ended(minutes):
                epoch = self.progress.epoch
                mean = self._one_epoch(epoch, epochs, minutes, board)
                figures = evaluate(self.model, self.maker, slices)
                self.progress = self.progress.after_epoch(figures, patience_over=self.settings["min_gain"])
                self._keep_epoch(epoch)
                self._save()
                entry = {"epoch": epoch, "step": self.progress.step, "minutes": round(self.progress.spent_s / 60, 1), **mean}
                entry |= {name: round(value, 4) for name, value in figures.items()}
                with (self.work / "asr.log.jsonl").open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(entry) + "\n")
                for name, value in figures.items():
                    board.add_scalar(f"held out/{name}", value, self.progress.step)
                log.info("%s", entry)
        return self.average()

    def _has_ended(self, minutes: float | None) -> bool:
        if minutes is not None and self.progress.spent_s >= 60 * minutes:
            return True
        if self.progress.epochs_without_gain >= self.settings["patience"]:
            log.info("no held-out error rate fell for %d epochs: the training ends early", self.progress.epochs_without_gain)
            return True
        return False

    def _one_epoch(self, epoch: int, epochs: int, minutes: float | None, board: Any) -> dict[str, float]:
        self.learner.train()
        settings = self.settings
        sums, count = np.zeros(len(LOSSES)), 0
        plan = self.maker.plan(epoch)
        first, started, spent_s = self.progress.batch, time.monotonic(), self.progress.spent_s
        for batch in self.maker.epoch(epoch, plan, first=first):
            done = (epoch + (first + count) / len(plan)) / epochs
            if minutes is not None:
                done = max(done, self.progress.spent_s / (60 * minutes))
            rate = learning_rate(done, peak=settings["peak_learning_rate"], warmup_fraction=settings["warmup_fraction"])
            self.optimizers.set_rate(rate)
            parts = losses(self.learner, batch.to(self.device))
            weights = (1.0, settings["sound_loss_weight"], settings["tag_loss_weight"], settings["emotion_loss_weight"])
            self.optimizers.zero_grad()
            sum(weight * part for weight, part in zip(weights, parts, strict=True)).backward()
            torch.nn.utils.clip_grad_norm_(self.learner.parameters(), settings["gradient_clip"])
            self.optimizers.step()
            count += 1
            sums += [part.item() for part in parts]
            self.progress = replace(
                self.progress, step=self.progress.step + 1, batch=first + count, spent_s=spent_s + time.monotonic() - started
            )
            if count % LOG_EVERY == 0:
                left_s = (len(plan) - first - count) * (time.monotonic() - started) / count
                log.info(
                    "epoch %d, %d of %d: ctc %.3f sounds %.3f tags %.3f emotion %.3f rate %.5f, %.0f s left",
                    epoch,
                    first + count,
                    len(plan),
                    *(sums / count),
                    rate,
                    left_s,
                )
                for name, value in zip(LOSSES, sums / count, strict=True):
                    board.add_scalar(f"loss/{name}", value, self.progress.step)
                board.add_scalar("rate", rate, self.progress.step)
            if count % SAVE_EVERY == 0:
                self._save()
            if minutes is not None and self.progress.spent_s >= 60 * minutes:
                break
        means = sums / max(1, count)
        return {name: round(float(value), 4) for name, value in zip(LOSSES, means, strict=True)}

    def average(self) -> Path:
        """Average the weights of the last epochs and save them."""
        states = [torch.load(path, weights_only=True, map_location="cpu") for path in self.recent]
        mean = {name: sum(state[name].float() for state in states) / len(states) for name in states[0]}
        path = self.work / "asr.averaged.pt"
        torch.save(mean, path)
        return path
