"""The starter's optimizers behind one handle: Muon moves the matrices inside the blocks, AdamW everything else.

Muon (https://kellerjordan.github.io/posts/muon/) makes a matrix's momentum orthogonal before it is applied, so that all of its
directions move alike. Both take AdamW's rates: Muon's steps are scaled to the same mean square (https://arxiv.org/abs/2502.16982).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn
from torch.nn import Parameter
from torch.optim import AdamW, Muon, Optimizer

NAMES = ("adamw", "muon")


class Optimizers:
    """One or two optimizers that step together."""

    def __init__(self, learner: nn.Module, *, name: str, weight_decay: float, apart: Collection[str] = ()) -> None:
        """``name`` is one of :data:`NAMES`; ValueError for another.

        Weights whose names begin with one of ``apart`` may be given a rate of their own.
        """
        if name not in NAMES:
            raise ValueError(f"optimizer is {name!r}; choose one of {', '.join(NAMES)} in config.yaml")
        matrices = inner_matrices(learner) if name == "muon" else []
        chosen = {id(matrix) for matrix in matrices}
        named = list(learner.named_parameters())
        own = [parameter for own_name, parameter in named if own_name.startswith(tuple(apart))] if apart else []
        chosen |= {id(parameter) for parameter in own}
        others = [parameter for _, parameter in named if id(parameter) not in chosen]
        groups = [{"params": others}] + ([{"params": own, "apart": True}] if own else [])
        self._all: list[Optimizer] = [AdamW(groups, lr=1e-4, betas=(0.9, 0.98), weight_decay=weight_decay, fused=True)]
        if matrices:
            self._all.append(Muon(matrices, lr=1e-4, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"))

    def set_rate(self, rate: float, *, apart: float | None = None) -> None:
        """The learning rate of the next step, and that of the weights ``apart`` (the same unless given)."""
        for optimizer in self._all:
            for group in optimizer.param_groups:
                group["lr"] = apart if apart is not None and group.get("apart") else rate

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self._all:
            optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Move every weight."""
        for optimizer in self._all:
            optimizer.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """What :meth:`load_state_dict` takes."""
        return [optimizer.state_dict() for optimizer in self._all]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on with saved moments; ValueError where they are of other optimizers."""
        if len(states) != len(self._all):
            raise ValueError(
                "the checkpoint was written by another optimizer than config.yaml names; give it back or begin a new work folder"
            )
        for optimizer, state in zip(self._all, states, strict=True):
            optimizer.load_state_dict(state)


def inner_matrices(learner: nn.Module) -> list[Parameter]:
    """The weights of the linear layers in blocks; embeddings and the layers that spell are left to AdamW."""
    blocks = (".encoders0.", ".encoders.", ".tp_encoders.")
    return [value for name, value in learner.named_parameters() if value.ndim == 2 and any(part in f".{name}" for part in blocks)]
