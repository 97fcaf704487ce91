"""Names of other services' speech models, which many programs send whatever server they speak to: here they mean the open bundle."""

from __future__ import annotations

import re

#: OpenAI's ``whisper-1``, ``gpt-4o-transcribe``, ``gpt-4o-mini-transcribe-2025-12-15``, ``gpt-4o-transcribe-diarize``; what others
#: call Whisper's sizes: ``whisper-large-v3-turbo``, ``Systran/faster-distil-whisper-large-v3``, ``openai/whisper-small.en``.
_STAND_INS = re.compile(r"([\w.-]+/)?([a-z]+-)*whisper([-_.][\w.-]+)?|gpt-[\w.]+(-mini)?-transcribe(-[\w-]+)?", re.ASCII | re.IGNORECASE)


def means_open_bundle(model: str) -> bool:
    """Whether ``model`` names another service's model, for which the open one stands in."""
    return _STAND_INS.fullmatch(model) is not None
