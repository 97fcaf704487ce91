"""Teach the student to say what Whisper says, at a third of its frame rate: first the new blocks in front, then all of it.

No labels are needed. The teacher heard the clean recording (``teacher.py``); the student gets it spoilt. Resumable, as the training is.
Distillation on the features of another network: https://arxiv.org/abs/2110.01900.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.networks.sensevoice import PROMPT_POSITIONS, SenseVoice
from models.starter.batches import Batch, BatchMaker
from models.starter.begin import FRONT_BLOCKS
from models.starter.corpus import CorpusError
from models.starter.mixed_precision import mixed_precision

log = logging.getLogger(__name__)
STUDENT = "student.pt"
CHECKPOINT = "distil.checkpoint.pt"
LOG_EVERY, SAVE_EVERY = 50, 300
#: Weight of the front's error beside that of the output.
FRONT_WEIGHT = 0.3


def distance_to_teacher(encoded: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the encoder's output (B, T, D) to the teacher's, over the rows that it was asked about.

    The teacher's rows are means of three; normed again, as Whisper's output is.
    """
    teacher, taught = batch.teacher, batch.taught
    if teacher is None or taught is None or not bool(taught.any()):
        return encoded.sum() * 0.0
    said = functional.layer_norm(teacher[:, :, 1].float(), (encoded.shape[-1],))
    return (encoded.float() - said).square().mean(-1)[taught].mean()


def distance_of_front(tapped: Tensor, batch: Batch, *, deviation: float) -> Tensor:
    """Mean squared error of the front blocks' output (B, T, D) to what enters Whisper's blocks, in units of its variance."""
    teacher, taught = batch.teacher, batch.taught
    if teacher is None or taught is None or not bool(taught.any()):
        return tapped.sum() * 0.0
    return (tapped.float() - teacher[:, :, 0].float()).square().mean(-1)[taught].mean() / deviation**2


def begin_with_student(network: SenseVoice, path: Path) -> None:
    """Fill everything but the vocabulary's layer from a student that :class:`Distiller` wrote; CorpusError where the sizes differ."""
    state = torch.load(path, weights_only=True, map_location="cpu")
    own = network.state_dict()
    wrong = [name for name, value in state.items() if name not in own or own[name].shape != value.shape]
    if wrong or {name for name in own if not name.startswith("ctc.")} - set(state):
        raise CorpusError(f"{path} is a student of another size than config.yaml names; run `distil` again or give the old sizes back")
    network.load_state_dict(state, strict=False)


class Distiller:
    """One distillation in a work folder; a second one in the same folder goes on from the last checkpoint."""

    def __init__(self, network: SenseVoice, maker: BatchMaker, config: dict[str, Any], work: Path, *, device: str | None = None) -> None:
        self.settings, self.work = config["distil"], work
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network, self.maker = network.to(self.device), maker
        teacher = maker.teacher
        if teacher is None or not len(teacher):
            raise CorpusError(f"the teacher was asked about no recording in {work}; run `begin` and `prepare` first")
        self.deviation = teacher.deviations()[0]
        front = [p for name, p in network.named_parameters() if self._is_front(name)]
        rest = [p for name, p in network.named_parameters() if not self._is_front(name) and not name.startswith("ctc.")]
        self.optimizer = torch.optim.AdamW([{"params": front}, {"params": rest}], lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01)
        self.spent_s, self.step, self.epoch = 0.0, 0, 0
        if (work / CHECKPOINT).exists():
            state = torch.load(work / CHECKPOINT, weights_only=True, map_location=self.device)
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.spent_s, self.step, self.epoch = state["spent_s"], state["step"], state["epoch"]
            log.info("resumed at step %d after %.1f minutes", self.step, self.spent_s / 60)

    @staticmethod
    def _is_front(name: str) -> bool:
        return name.startswith(("embed.", "encoder.encoders0.", *(f"encoder.encoders.{index}." for index in range(FRONT_BLOCKS - 1))))

    def _rates(self, done: float) -> tuple[float, float]:
        """Learning rates of the front and of Whisper's blocks after the share ``done`` of the time."""
        share, warm = self.settings["front_share"], min(1.0, (self.step + 1) / self.settings["warmup_steps"])
        if done < share:
            return warm * self.settings["front_learning_rate"], 0.0
        falling = 1 - 0.9 * (done - share) / (1 - share)
        return warm * falling * self.settings["new_learning_rate"], warm * falling * self.settings["old_learning_rate"]

    def run(self, *, minutes: float = math.inf, steps: int | None = None) -> Path:
        """Distil for so many minutes (or to this step) over all calls; returns the student's path."""
        began = time.monotonic() - self.spent_s
        self.network.train()
        sums, count = torch.zeros(2), 0
        for batch in self._batches():
            self.spent_s = time.monotonic() - began
            done = self.spent_s / (60 * minutes) if steps is None else self.step / steps
            if done >= 1:
                break
            front, output = self._learn(batch.to(self.device), done)
            sums, count = sums + torch.tensor([front, output]), count + 1
            if count == LOG_EVERY:
                means = (sums / count).tolist()
                entry = {
                    "step": self.step,
                    "minutes": round(self.spent_s / 60, 1),
                    "front": round(means[0], 4),
                    "output": round(means[1], 4),
                }
                with (self.work / "distil.log.jsonl").open("a", encoding="utf-8") as handle:
                    handle.write(json.dumps(entry) + "\n")
                log.info("%s", entry)
                sums, count = torch.zeros(2), 0
            if self.step % SAVE_EVERY == 0:
                self._save()
        self._save()
        return self.work / STUDENT

    def _batches(self) -> Iterator[Batch]:
        while True:
            plan = self.maker.plan(1000 + self.epoch, batch_frames=self.settings["batch_frames"], taught=True)
            yield from self.maker.taught_epoch(1000 + self.epoch, plan)
            self.epoch += 1

    def _learn(self, batch: Batch, done: float) -> tuple[float, float]:
        rates = self._rates(done)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        taps: dict[int, Tensor] = {FRONT_BLOCKS: torch.empty(0)}
        with mixed_precision(self.device):
            encoded = self.network.encode(batch.speech, batch.language, batch.textnorm, batch.lengths, taps=taps)
        front = distance_of_front(taps[FRONT_BLOCKS][:, PROMPT_POSITIONS:], batch, deviation=self.deviation)
        output = distance_to_teacher(encoded[:, PROMPT_POSITIONS:], batch)
        self.optimizer.zero_grad(set_to_none=True)
        (front if rates[1] == 0.0 else output + FRONT_WEIGHT * front).backward()
        torch.nn.utils.clip_grad_norm_([p for p in self.network.parameters() if p.grad is not None], self.settings["gradient_clip"])
        self.optimizer.step()
        self.step += 1
        return float(front.detach()), float(output.detach())

    def _save(self) -> None:
        partial = (self.work / CHECKPOINT).with_suffix(".partial")
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "spent_s": self.spent_s,
            "step": self.step,
            "epoch": self.epoch,
        }
        torch.save(state, partial)
        partial.replace(self.work / CHECKPOINT)
        student = (self.work / STUDENT).with_suffix(".partial")
        torch.save({name: value for name, value in self.network.state_dict().items() if not name.startswith("ctc.")}, student)
        student.replace(self.work / STUDENT)
