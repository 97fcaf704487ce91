"""The hubs by their sources; ModelScope with its library where that is installed, and without it where it is not."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping

from models.fetch.catalog import Source
from models.fetch.hubs import Hub, HuggingFace, ModelScope
from models.fetch.plain_modelscope import PlainModelScope


def modelscope() -> Hub:
    """ModelScope, however it can be asked here."""
    return PlainModelScope() if importlib.util.find_spec(ModelScope.package) is None else ModelScope()


HUBS: Mapping[Source, Callable[[], Hub]] = {Source.MODELSCOPE: modelscope, Source.HUGGINGFACE: HuggingFace}
