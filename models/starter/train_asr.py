"""Train the starter's SenseVoice: CTC on the text, CTC on the sounds in the middle, cross-entropy on the four tag positions.

Resumable: the network, the optimizer and the place in the epoch are saved every few hundred batches; a second call goes on from there.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.sensevoice import PROMPT_POSITIONS, SenseVoice, SenseVoiceConfig
from models.starter.batches import Batch, BatchMaker
from models.starter.corpus import DIGITS_EN
from models.starter.distil import STUDENT, begin_with_student, distance_to_teacher
from models.starter.mixed_precision import mixed_precision
from models.starter.optimizers import Optimizers
from models.starter.prepare import FeatureStore, Item
from models.starter.teacher import TeacherRows
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


@contextmanager
def flushing_denormals() -> Iterator[None]:
    """Numbers too small for a normal float become zero within: they cost a CPU a hundred times the time. As it was before, afterwards."""
    # Denormals are kept by every process until somebody says otherwise, and torch cannot be asked; numpy shows what holds.
    kept = bool(np.float32(1e-40) * np.float32(0.5) != 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(not kept)


class Learner(nn.Module):
    """The network, and what leaves with the training: a layer that spells the middle of the encoder in sounds."""

    def __init__(self, network: SenseVoice, *, sounds: int, tap: int) -> None:
        super().__init__()
        self.network, self.tap = network, tap
        self.sounds = nn.Linear(network.config.output_size, sounds)

    def forward(self, batch: Batch, *, head_alone: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """-> logits (B, T + 4, V), sound logits (B, T, S) and the encoder's output (B, T, D).

        ``head_alone`` gives the encoder no gradient.
        """
        taps: dict[int, Tensor] = {self.tap: torch.empty(0)}
        with torch.set_grad_enabled(torch.is_grad_enabled() and not head_alone):
            encoded = self.network.encode(batch.speech, batch.language, batch.textnorm, batch.lengths, taps=taps)
        return self.network.ctc(encoded), self.sounds(taps[self.tap][:, PROMPT_POSITIONS:]), encoded[:, PROMPT_POSITIONS:]


def keep_still(network: SenseVoice, blocks: int) -> None:
    """Leave the prompts and the first ``blocks`` blocks as they are: a step then costs less, and what they hear is not unlearnt."""
    if blocks:
        network.embed.requires_grad_(False)
    for block in [*network.encoder.encoders0, *network.encoder.encoders][:blocks]:
        block.requires_grad_(False)


def ctc_per_unit(logits: Tensor, lengths: Tensor, targets: Tensor, target_lengths: Tensor, rows: Tensor) -> Tensor:
    """CTC loss of the rows that have targets, per target unit; logits are (B, T, V)."""
    if not bool(rows.any()):
        return logits.sum() * 0.0
    log_probs = logits[rows].log_softmax(-1).transpose(0, 1)
    loss = functional.ctc_loss(log_probs, targets, lengths[rows], target_lengths[rows], reduction="none", zero_infinity=True)
    return loss.sum() / max(int(target_lengths[rows].sum()), int(rows.sum()))


LOSSES = ("ctc", "sounds", "tags", "emotion", "teacher")


def losses(learner: Learner, batch: Batch, *, head_alone: bool = False) -> tuple[Tensor, ...]:
    """What LOSSES names: CTC a text unit, CTC a sound, cross-entropy of language, event and text norm, of emotion, distance to Whisper."""
    with mixed_precision(batch.speech.device):
        logits, sounds, encoded = learner(batch, head_alone=head_alone)
    logits, sounds = logits.float(), sounds.float()
    teacher = distance_to_teacher(encoded, batch) if batch.teacher is not None and not head_alone else logits.sum() * 0.0
    others = [0, 2, 3]  # positions of language, event, text norm
    tags = functional.cross_entropy(logits[:, others].transpose(1, 2), batch.tags[:, others], ignore_index=-1)
    known = batch.tags[:, 1] >= 0
    emotion = functional.cross_entropy(logits[known, 1], batch.tags[known, 1]) if bool(known.any()) else logits.sum() * 0.0
    ctc = ctc_per_unit(logits[:, PROMPT_POSITIONS:], batch.lengths, batch.targets, batch.target_lengths, batch.has_text)
    return ctc, ctc_per_unit(sounds, batch.lengths, batch.sounds, batch.sound_lengths, batch.has_sounds), tags, emotion, teacher


def learning_rate(done: float, *, peak: float, warmup_fraction: float) -> float:
    """Linear warm-up from a hundredth of the peak, then half a cosine back to it; ``done`` is the share trained, in [0, 1]."""
    if done < warmup_fraction:
        return peak * max(0.01, done / warmup_fraction)
    progress = min(1.0, (done - warmup_fraction) / (1 - warmup_fraction))
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def rates(done: float, settings: dict[str, Any]) -> tuple[float, float]:
    """The learning rates of the encoder and of the layers that spell, after the share ``done`` of the training, in [0, 1].

    For the share ``head_share`` the layers that spell learn alone: a network that knows speech loses it to their first gradients.
    """
    share = settings["head_share"]
    if done < share:
        warm = min(1.0, 0.05 + done / (0.1 * share))
        return 0.0, settings["head_learning_rate"] * warm
    rate = learning_rate((done - share) / (1 - share), peak=settings["peak_learning_rate"], warmup_fraction=settings["warmup_fraction"])
    return rate, settings["head_rate_factor"] * rate


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
    digits = set(DIGITS_EN)
    test = [item for item in store.items if item.split == "test"]
    ocean = [item for item in test if item.source == "speechocean762"]

    def some(items: Sequence[Item]) -> list[Item]:
        return list(items[:: max(1, len(items) // limit)][:limit])

    return {
        "digits": [item for item in ocean if set(str(item.text).split()) <= digits],
        "english": some([item for item in ocean if not set(str(item.text).split()) <= digits]),
        "english_strangers": some([item for item in test if item.source in ("commonvoice_en", "librispeech_bits")]),
        "mandarin": some([item for item in test if item.source == "commonvoice_zh"]),
        "mandarin_studio": some([item for item in test if item.source in ("aishell3_samples", "aishell_sample")]),
        "languages": some([item for item in test if item.source in ("cv61_yue", "cv61_ja")]),
        "emotion": some([item for item in test if item.source == "ravdess"]),
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
        if name.startswith(("english", "mandarin")) and items:
            figures[f"{name}_cer"] = jiwer.cer(references, texts)
        if name == "emotion" and items:
            figures["emotion_accuracy"] = float(np.mean([tags[1] == item.tags[1] for item, (_, tags) in zip(items, outputs, strict=True)]))
        if name == "events" and items:
            figures["noise_with_text"] = float(np.mean([bool(text) for text in texts]))
            figures["event_accuracy"] = float(np.mean([tags[2] == item.tags[2] for item, (_, tags) in zip(items, outputs, strict=True)]))
        if name.startswith(("english", "mandarin", "languages")):
            language += [tags[0] == item.tags[0] for item, (_, tags) in zip(items, outputs, strict=True)]
    figures["language_accuracy"] = float(np.mean(language)) if language else float("nan")
    return figures


class Trainer:
    """One training of the starter's ASR network in a work folder; a second one in the same folder goes on from the last checkpoint."""

    def __init__(
        self, store: FeatureStore, config: dict[str, Any], work: Path, *, init: Path | None = None, device: str | None = None
    ) -> None:
        """``init`` is a bundle, or a student that ``distil`` wrote (by default the one in ``work``, where there is one)."""
        self.settings = config["train_asr"]
        torch.manual_seed(config["seed"])
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        teacher = TeacherRows(work)
        self.maker = BatchMaker(store, config, teacher=teacher if len(teacher) else None)
        network = SenseVoice(
            network_config(config, vocab_size=len(store.pieces)), dropout=self.settings["dropout"], max_positions=MAX_POSITIONS
        )
        self.learner = Learner(network, sounds=max(1, len(store.sounds)), tap=self.settings["sounds_after_block"]).to(self.device)
        self.model = network
        if init is None and (work / STUDENT).exists():
            init = work / STUDENT
        if init is not None and not (work / CHECKPOINT).exists():
            if init.is_file():
                begin_with_student(network, init)
            else:
                begin_with(network, init, pieces=store.pieces)
        keep_still(network, self.settings["still_blocks"])
        self.optimizers = Optimizers(
            self.learner, name=self.settings["optimizer"], weight_decay=self.settings["weight_decay"], apart=("network.ctc.", "sounds.")
        )
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
        with flushing_denormals(), SummaryWriter(str(self.work / "tensorboard")) as board:
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
            head_alone = done < settings["head_share"]
            rate, head_rate = rates(done, settings)
            self.optimizers.set_rate(rate, apart=head_rate)
            parts = losses(self.learner, batch.to(self.device), head_alone=head_alone)
            teacher_weight = settings["teacher_loss_weight"] * max(0.0, 1 - done)
            weights = (1.0, settings["sound_loss_weight"], settings["tag_loss_weight"], settings["emotion_loss_weight"], teacher_weight)
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
                    "epoch %d, %d of %d: ctc %.3f sounds %.3f tags %.3f emotion %.3f teacher %.3f rate %.5f, %.0f s left",
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
