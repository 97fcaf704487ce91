"""The models that `fetch` knows: where each comes from, which files it needs, what it weighs, whose licence it has.

A model is two repositories on a hub, one with SenseVoice and one with FSMN-VAD; every source names its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.errors import LightVoiceError


class UnknownModelError(LightVoiceError):
    """A name that the catalog does not have."""

    def __init__(self, *, name: str) -> None:
        super().__init__(f"no model {name!r} in the catalog; there are {', '.join(CATALOG)}")


class UnknownSourceError(LightVoiceError):
    """A source that a model does not come from."""

    def __init__(self, *, name: str, source: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{name} does not come from {source!r}; there are {', '.join(known)}")


class Source(StrEnum):
    """The hubs."""

    MODELSCOPE = "modelscope"
    HUGGINGFACE = "huggingface"

    @property
    def label(self) -> str:
        """As it calls itself."""
        return {"modelscope": "ModelScope", "huggingface": "Hugging Face"}[self]


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One repository of a hub, the files that it must have, and those that are taken along where it has them."""

    repo: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The folder its files lie in once downloaded."""
        return self.repo.rsplit("/", maxsplit=1)[-1]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Both repositories of a model on one hub."""

    asr: Repository
    vad: Repository


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """One model that can be fetched; sizes are megabytes (10⁶ bytes), rounded."""

    name: str
    title: str
    licence: str
    languages: tuple[str, ...]
    download_mb: int
    bundle_mb: int
    origins: Mapping[Source, Origin]

    def origin(self, source: str) -> Origin:
        """Its repositories on a hub; UnknownSourceError where it is not there."""
        if source not in {str(known) for known in self.origins}:
            raise UnknownSourceError(name=self.name, source=source, known=tuple(str(known) for known in self.origins))
        return self.origins[Source(source)]


LICENCE = "FunASR Model Open Source License Agreement"
LANGUAGES = ("zh", "en", "yue", "ja", "ko")
BPE_MODEL = "chn_jpn_yue_eng_ko_spectok.bpe.model"
CHECKPOINT = ("model.pt", "config.yaml", "am.mvn")
#: The recordings that `self-test` transcribes.
EXAMPLES = tuple(f"example/{language}.mp3" for language in LANGUAGES)
VAD_EXAMPLES = ("example/vad_example.wav",)

_VAD_MODELSCOPE = Repository(repo="iic/speech_fsmn_vad_zh-cn-16k-common-pytorch", files=CHECKPOINT, optional=VAD_EXAMPLES)
_VAD_HUGGINGFACE = Repository(repo="funasr/fsmn-vad", files=CHECKPOINT, optional=VAD_EXAMPLES)

_MODELS = (
    CatalogModel(
        name="sensevoice-small",
        title="SenseVoice-Small with FSMN-VAD, the official PyTorch checkpoints, exported and quantized here",
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=940,
        bundle_mb=1_190,
        origins={
            Source.MODELSCOPE: Origin(
                asr=Repository(repo="iic/SenseVoiceSmall", files=(*CHECKPOINT, BPE_MODEL), optional=EXAMPLES), vad=_VAD_MODELSCOPE
            ),
            Source.HUGGINGFACE: Origin(
                asr=Repository(repo="FunAudioLLM/SenseVoiceSmall", files=(*CHECKPOINT, BPE_MODEL), optional=EXAMPLES),
                vad=_VAD_HUGGINGFACE,
            ),
        },
    ),
    CatalogModel(
        name="sensevoice-small-onnx",
        title="SenseVoice-Small with FSMN-VAD, FunASR's ready-made ONNX graphs, converted here",
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=1_180,
        bundle_mb=1_430,
        origins={
            Source.MODELSCOPE: Origin(
                asr=Repository(
                    repo="iic/SenseVoiceSmall-onnx",
                    files=("model_quant.onnx", "am.mvn", "config.yaml"),
                    optional=("model.onnx", "tokens.json", BPE_MODEL),
                ),
                vad=_VAD_MODELSCOPE,
            )
        },
    ),
    CatalogModel(
        name="sensevoice-small-sherpa",
        title="SenseVoice-Small as sherpa-onnx publishes it, converted here, with FSMN-VAD",
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=1_180,
        bundle_mb=1_430,
        origins={
            Source.HUGGINGFACE: Origin(
                asr=Repository(
                    repo="csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17",
                    files=("model.int8.onnx", "tokens.txt"),
                    optional=("model.onnx",),
                ),
                vad=_VAD_HUGGINGFACE,
            )
        },
    ),
)
CATALOG: Mapping[str, CatalogModel] = {model.name: model for model in _MODELS}


def find_model(name: str) -> CatalogModel:
    """A model by name; UnknownModelError lists what there is."""
    if name not in CATALOG:
        raise UnknownModelError(name=name)
    return CATALOG[name]
