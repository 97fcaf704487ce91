"""Train the starter's FSMN-VAD: scenes of speech, pauses and noises, labelled by a teacher on the clean speech.

The teacher is FunASR's own FSMN-VAD where its ``model.onnx`` is at hand (it decides which frames of a *clean* utterance
are speech); without it the energy of the clean utterance decides. Noises are never speech, whatever the teacher
would say: over-triggering on them is the real model's known weakness.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from engine.speech.endpointing import VadOptions, find_speech, frame_decibels
from engine.speech.features import FBANK_BINS, Cmvn, fbank, stack_frames
from models.evaluate.metrics import VadScores, frames_in, vad_scores
from models.networks.fsmn_vad import FsmnVad
from models.starter.augment import add_noise, change_volume, silence, stretch, warp_vocal_tract
from models.starter.meetings import Meeting
from models.starter.prepare import FeatureStore, Item

log = logging.getLogger(__name__)
LFR_M, LFR_N = 5, 1


def _teacher_labels(store: FeatureStore, items: list[Item], teacher: Path) -> list[np.ndarray]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(teacher), options, providers=["CPUExecutionProvider"])
    cmvn = Cmvn.load(teacher.parent / "am.mvn", expected_dim=FBANK_BINS * LFR_M)
    name = session.get_inputs()[0].name
    labels = []
    for item in tqdm(items, desc="VAD labels", unit="clip", mininterval=5):
        features = cmvn.apply(stack_frames(store.frames(item), lfr_m=LFR_M, lfr_n=LFR_N))
        probabilities = session.run(None, {name: features[None].astype(np.float32)})[0]
        labels.append(1.0 - probabilities[0, :, 0])
    return labels


def _energy_labels(store: FeatureStore, items: list[Item]) -> list[np.ndarray]:
    labels = []
    for item in items:
        energy = np.log(np.exp(store.frames(item)).mean(axis=1) + 1e-6)
        low, high = np.percentile(energy, 5), np.percentile(energy, 95)
        labels.append((energy > low + 0.35 * (high - low)).astype(np.float32) if high - low > 2 else np.zeros(len(energy)))
    return labels


def speech_labels(store: FeatureStore, items: list[Item], teacher: Path | None) -> list[np.ndarray]:
    """Probability of speech per frame of each item: (T,) float32 each; noises are all zero."""
    labels = _teacher_labels(store, items, teacher) if teacher else _energy_labels(store, items)
    return [np.zeros_like(label) if item.language == "nospeech" else label for item, label in zip(items, labels, strict=True)]


class SceneMaker:
    """Draws training scenes: utterances, pauses and noises in a row, with noise under them."""

    def __init__(
        self,
        store: FeatureStore,
        items: list[Item],
        labels: list[np.ndarray],
        settings: dict[str, Any],
        *,
        meetings: Sequence[Meeting] = (),
    ) -> None:
        self.store, self.items, self.labels, self.settings = store, items, labels, settings
        self.meetings = [(fbank(meeting.waveform.samples), meeting.truth) for meeting in meetings]
        self.noises = [index for index, item in enumerate(items) if item.language == "nospeech"]
        self.speech = [index for index, item in enumerate(items) if item.language != "nospeech"]

    def _part(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pool = self.noises if self.noises and rng.random() < 0.2 else self.speech
        index = pool[int(rng.integers(len(pool)))]
        frames, label = self.store.frames(self.items[index]), self.labels[index]
        factor = rng.uniform(0.85, 1.18)
        places = np.linspace(0, len(label) - 1, max(1, round(len(label) * factor)))
        label = label[np.round(places).astype(np.intp)]
        frames = change_volume(warp_vocal_tract(stretch(frames, factor), rng.uniform(0.9, 1.1)), rng.uniform(-6, 2))
        return frames, label

    def _babble(self, rng: np.random.Generator) -> np.ndarray:
        """Five voices at once, as in a canteen: (window, 80) frames that nobody is to understand."""
        window = self.settings["window_frames"]
        voices = [self.store.frames(self.items[self.speech[int(index)]]) for index in rng.integers(0, len(self.speech), 5)]
        return np.asarray(np.logaddexp.reduce([np.resize(voice, (window, FBANK_BINS)) for voice in voices]), np.float32)

    def _meeting(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        window = self.settings["window_frames"]
        frames, truth = self.meetings[int(rng.integers(len(self.meetings)))]
        length = min(len(frames), len(truth))
        start = int(rng.integers(0, max(1, length - window)))
        places = np.arange(start, start + window) % length  # a short extract begins again
        heard = change_volume(warp_vocal_tract(frames[places], rng.uniform(0.88, 1.12)), rng.uniform(-6, 2))
        return heard, truth[places].astype(np.float32)

    def scene(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One scene: (window, 80) frames and (window,) speech probabilities."""
        if self.meetings and rng.random() < self.settings["meeting_share"]:
            return self._meeting(rng)
        window = self.settings["window_frames"]
        frames, labels, total = [], [], 0
        while total < window + 100:
            part, label = self._part(rng)
            if len(part) < 5:
                continue
            pause = silence(int(rng.integers(0, 150)), rng, like=part)
            frames += [part, pause]
            labels += [label, np.zeros(len(pause))]
            total += len(part) + len(pause)
        scene, label = np.concatenate(frames), np.concatenate(labels)
        start = int(rng.integers(0, len(scene) - window + 1))
        scene, label = scene[start : start + window], label[start : start + window]
        kind = rng.random()
        low, high = self.settings["noise_snr_db"]
        if self.noises and kind < 0.35:
            noise = self.store.frames(self.items[self.noises[int(rng.integers(len(self.noises)))]])
            scene = add_noise(scene, noise, snr_db=rng.uniform(low, high))
        elif kind < 0.5:
            scene = add_noise(scene, self._babble(rng), snr_db=rng.uniform(low + 5, high + 5))
        elif kind < 0.7:
            hiss = np.linspace(rng.uniform(-4, 4), rng.uniform(-4, 4), FBANK_BINS) + rng.normal(0, 0.9, (window, FBANK_BINS))
            scene = add_noise(scene, hiss.astype(np.float32), snr_db=rng.uniform(low, high + 15))
        return scene, label

    def batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """A batch of scenes: (B, window, 400) features and (B, window) labels."""
        scenes = [self.scene(rng) for _ in range(self.settings["batch_windows"])]
        scaled = [((frames - self.store.means) / self.store.deviations).astype(np.float32) for frames, _ in scenes]
        features = np.stack([stack_frames(frames, lfr_m=LFR_M, lfr_n=LFR_N) for frames in scaled])
        return torch.from_numpy(features), torch.from_numpy(np.stack([label for _, label in scenes]).astype(np.float32))


def speech_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy between the network's silence unit against the rest, and soft labels (B, T)."""
    everything = torch.logsumexp(logits, dim=-1)
    silent = logits[..., 0] - everything
    spoken = torch.logsumexp(logits[..., 1:], dim=-1) - everything
    return -(labels * spoken + (1 - labels) * silent).mean()


@torch.inference_mode()
def best_bias(model: FsmnVad, store: FeatureStore, meetings: Sequence[Meeting]) -> tuple[float, VadScores]:
    """How much to add to the silence unit's logit for the best frame F1 behind the state machine, and that score."""
    found: list[tuple[VadScores, float]] = []
    heard = []
    for meeting in meetings:
        frames = fbank(meeting.waveform.samples)
        scaled = ((frames - store.means) / store.deviations).astype(np.float32)
        logits = model(torch.from_numpy(stack_frames(scaled, lfr_m=LFR_M, lfr_n=LFR_N))[None])[0].numpy()
        heard.append((logits, frame_decibels(meeting.waveform.samples, frames=len(frames)), meeting.truth))
    for bias in np.arange(-2.0, 2.01, 0.25):
        scores = VadScores()
        for logits, decibels, truth in heard:
            shifted = logits.copy()
            shifted[:, 0] += bias
            silence = np.exp(shifted[:, 0] - np.logaddexp.reduce(shifted, axis=1))
            spans = find_speech(silence.astype(np.float32), decibels, VadOptions())
            scores += vad_scores(truth, frames_in(spans, len(truth)))
        found.append((scores, float(bias)))
    best, bias = max(found, key=lambda entry: (entry[0].f1 or 0.0, -abs(entry[1])))
    return bias, best


def train_vad(store: FeatureStore, config: dict[str, Any], work: Path, *, teacher: Path | None, meetings: Sequence[Meeting] = ()) -> Path:
    """Train and save ``vad.pt`` below ``work``; the checkpoint beside it lets a second call go on.

    ``meetings`` are heard among the scenes, and the threshold is set on them: those named in :data:`meetings.TUNING`.
    """
    settings = config["train_vad"]
    items = [item for item in store.items if item.split == "train" and item.frames >= 20]
    if len(items) > settings["utterances"]:
        kept = np.random.default_rng(config["seed"]).choice(len(items), settings["utterances"], replace=False)
        items = [items[index] for index in sorted(kept)]
    maker = SceneMaker(store, items, speech_labels(store, items, teacher), settings, meetings=meetings)
    torch.manual_seed(config["seed"])
    model = FsmnVad()
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings["peak_learning_rate"], weight_decay=0.01)
    total, first, checkpoint = settings["steps"], 0, work / "vad.checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]
        log.info("VAD resumed at step %d", first)
    mean = float("nan")
    for step in range(first, total):
        rate = settings["peak_learning_rate"] * min(1.0, (step + 1) / 50) * max(0.02, 1 - step / total)
        for group in optimizer.param_groups:
            group["lr"] = rate
        features, labels = maker.batch(np.random.default_rng([config["seed"], step]))
        loss = speech_loss(model(features), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        mean = loss.item() if np.isnan(mean) else 0.97 * mean + 0.03 * loss.item()
        if (step + 1) % 50 == 0:
            log.info("VAD step %d of %d: loss %.4f", step + 1, total, mean)
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}, checkpoint)
            with (work / "vad.log.jsonl").open("a", encoding="utf-8") as handle:
                handle.write(json.dumps({"step": step + 1, "loss": round(mean, 5)}) + "\n")
    if meetings:
        bias, reached = best_bias(model.eval(), store, meetings)
        with torch.no_grad():
            model.out_linear2.linear.bias[0] += bias
        log.info("silence logit %+.2f: frame F1 %.3f on the meetings heard", bias, reached.f1)
    path = work / "vad.pt"
    torch.save(model.state_dict(), path)
    return path
