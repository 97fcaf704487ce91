"""The recipes' names, the variant that each adds, and which settings the page shows for it; nothing heavy is loaded here."""

from __future__ import annotations

from enum import StrEnum


class RecipeName(StrEnum):
    """The ways to make a bundle smaller."""

    DYNAMIC = "dynamic"
    STATIC = "static"
    MIXED = "mixed"
    AUTO = "auto"
    QAT = "qat"
    FP16 = "fp16"

    @property
    def variant(self) -> str:
        """``int8`` is what lightweight mode uses; every other recipe stands beside it."""
        if self is RecipeName.DYNAMIC:
            return "int8"
        return "fp16" if self is RecipeName.FP16 else f"int8-{self}"

    @property
    def takes_clips(self) -> bool:
        """Whether it measures something on recordings."""
        return self not in (RecipeName.DYNAMIC, RecipeName.MIXED)

    @property
    def takes_trials(self) -> bool:
        """Whether it searches."""
        return self is RecipeName.AUTO

    @property
    def can_be_default(self) -> bool:
        """Whether ``--as-default`` makes it what lightweight mode uses: it is INT8, and not so already."""
        return self not in (RecipeName.DYNAMIC, RecipeName.FP16)
