"""The models that `fetch` knows: where each comes from, which files it needs, what it weighs, whose licence it has.

A model is two repositories on a hub, one with SenseVoice and one with FSMN-VAD; every source names its own. SenseVoice-Small comes in
editions: the same weights in INT8 alone, as the official checkpoint, and as others converted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engine.errors import LightVoiceError


class UnknownModelError(LightVoiceError):
    """A name that the catalog does not have."""

    def __init__(self, *, name: str, edition: str | None = None) -> None:
        if edition is None:
            super().__init__(f"no model {name!r} in the catalog; there are {', '.join(CATALOG)}")
        else:
            known = ", ".join(f"{FAMILY} --edition {model.edition}" for model in CATALOG.values())
            super().__init__(f"{name!r} has no edition {edition!r} in the catalog; there are {known}")


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

    def page(self, repo: str) -> str:
        """The address of a repository in a browser."""
        return {"modelscope": f"https://www.modelscope.cn/models/{repo}", "huggingface": f"https://huggingface.co/{repo}"}[self]


@dataclass(frozen=True, kw_only=True)
class Pin:
    """What a file of a repository is known to be, whatever a hub says of it."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Repository:
    """One repository of a hub: the files that it must have, those of which one must be there (the first that is, is taken), those that
    are taken along where it has them, and what is known of some.
    """

    repo: str
    files: tuple[str, ...] = ()
    choices: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()
    pins: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The folder its files lie in once downloaded."""
        return self.repo.rsplit("/", maxsplit=1)[-1]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The repositories of a model on one hub; ``examples`` have the recordings that `self-test` transcribes, and are not needed."""

    asr: Repository
    vad: Repository
    examples: tuple[Repository, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CatalogModel:
    """One model that can be fetched; sizes are megabytes (10⁶ bytes), rounded."""

    name: str
    #: Which edition it is of the bundle that it makes.
    edition: str
    bundle: str
    #: One sentence: what it holds, what it weighs, whom it is for.
    title: str
    #: The variants that its bundle has.
    precisions: tuple[str, ...]
    licence: str
    languages: tuple[str, ...]
    download_mb: int
    bundle_mb: int
    origins: Mapping[Source, Origin]

    @property
    def pages(self) -> tuple[str, ...]:
        """Where a person finds its files with a browser, SenseVoice's before FSMN-VAD's, one source after the other."""
        return tuple(source.page(one.repo) for source, origin in self.origins.items() for one in (origin.asr, origin.vad))

    def origin(self, source: str) -> Origin:
        """Its repositories on a hub; UnknownSourceError where it is not there."""
        if source not in {str(known) for known in self.origins}:
            raise UnknownSourceError(name=self.name, source=source, known=tuple(str(known) for known in self.origins))
        return self.origins[Source(source)]


#: What all editions are editions of.
FAMILY = "sensevoice-small"
LICENCE = "FunASR Model Open Source License Agreement"
LANGUAGES = ("zh", "en", "yue", "ja", "ko")
BPE_MODEL = "chn_jpn_yue_eng_ko_spectok.bpe.model"
CHECKPOINT = ("model.pt", "config.yaml", "am.mvn")
#: The recordings that `self-test` transcribes.
EXAMPLES = tuple(f"example/{language}.mp3" for language in LANGUAGES)
VAD_EXAMPLES = ("example/vad_example.wav",)

#: As both hubs publish them. Another file under these names is refused.
CHECKPOINT_PINS = {
    "model.pt": Pin(size_bytes=936_291_369, sha256="833ca2dcfdf8ec91bd4f31cfac36d6124e0c459074d5e909aec9cabe6204a3ea"),
    BPE_MODEL: Pin(size_bytes=377_341, sha256="aa87f86064c3730d799ddf7af3c04659151102cba548bce325cf06ba4da4e6a8"),
}
BPE_PIN = {BPE_MODEL: CHECKPOINT_PINS[BPE_MODEL]}

_OFFICIAL_MODELSCOPE = Repository(repo="iic/SenseVoiceSmall", files=(*CHECKPOINT, BPE_MODEL), optional=EXAMPLES, pins=CHECKPOINT_PINS)
_OFFICIAL_HUGGINGFACE = Repository(
    repo="FunAudioLLM/SenseVoiceSmall", files=(*CHECKPOINT, BPE_MODEL), optional=EXAMPLES, pins=CHECKPOINT_PINS
)
_VAD_MODELSCOPE = Repository(repo="iic/speech_fsmn_vad_zh-cn-16k-common-pytorch", files=CHECKPOINT, optional=VAD_EXAMPLES)
_VAD_HUGGINGFACE = Repository(repo="funasr/fsmn-vad", files=CHECKPOINT, optional=VAD_EXAMPLES)
#: FSMN-VAD as FunASR's ONNX, which is converted without PyTorch; older revisions call the files vad.*.
_VAD_FILES = (("am.mvn", "vad.mvn"), ("config.yaml", "vad.yaml"))
_VAD_ONNX_MODELSCOPE = Repository(repo="iic/speech_fsmn_vad_zh-cn-16k-common-onnx", files=("model.onnx",), choices=_VAD_FILES)
_VAD_ONNX_HUGGINGFACE = Repository(repo="funasr/fsmn-vad-onnx", files=("model.onnx",), choices=_VAD_FILES)
_EXAMPLES_MODELSCOPE, _EXAMPLES_HUGGINGFACE = (
    tuple(Repository(repo=one.repo, optional=one.optional) for one in pair)
    for pair in ((_OFFICIAL_MODELSCOPE, _VAD_MODELSCOPE), (_OFFICIAL_HUGGINGFACE, _VAD_HUGGINGFACE))
)
FUNASR_ONNX, SHERPA_ONNX = "iic/SenseVoiceSmall-onnx", "csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17"
BOTH = ("fp32", "int8")

_MODELS = (
    CatalogModel(
        name="sensevoice-small-int8",
        edition="int8",
        bundle="sensevoice-small",
        title="INT8 alone, 242 MB: for most people",
        precisions=("int8",),
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=242,
        bundle_mb=243,
        origins={
            Source.MODELSCOPE: Origin(
                asr=Repository(
                    repo=FUNASR_ONNX,
                    files=("model_quant.onnx", "am.mvn", "config.yaml"),
                    choices=(("tokens.json", BPE_MODEL),),
                    pins=BPE_PIN,
                ),
                vad=_VAD_ONNX_MODELSCOPE,
                examples=_EXAMPLES_MODELSCOPE,
            ),
            Source.HUGGINGFACE: Origin(
                asr=Repository(repo=SHERPA_ONNX, files=("model.int8.onnx", "tokens.txt")),
                vad=_VAD_ONNX_HUGGINGFACE,
                examples=_EXAMPLES_HUGGINGFACE,
            ),
        },
    ),
    CatalogModel(
        name="sensevoice-small",
        edition="fp32",
        bundle="sensevoice-small",
        title="FP32 and INT8 of the official checkpoint, 940 MB: to compare precisions, and to make variants of one's own",
        precisions=BOTH,
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=940,
        bundle_mb=1_190,
        origins={
            Source.MODELSCOPE: Origin(asr=_OFFICIAL_MODELSCOPE, vad=_VAD_MODELSCOPE),
            Source.HUGGINGFACE: Origin(asr=_OFFICIAL_HUGGINGFACE, vad=_VAD_HUGGINGFACE),
        },
    ),
    CatalogModel(
        name="sensevoice-small-onnx",
        edition="onnx",
        bundle="sensevoice-small-onnx",
        title="FunASR's ONNX in FP32 and INT8, 1.2 GB: to compare its INT8 with ours",
        precisions=(*BOTH, "int8-upstream"),
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=1_180,
        bundle_mb=1_430,
        origins={
            Source.MODELSCOPE: Origin(
                asr=Repository(
                    repo=FUNASR_ONNX,
                    files=("model_quant.onnx", "am.mvn", "config.yaml"),
                    choices=(("tokens.json", BPE_MODEL),),
                    optional=("model.onnx",),
                    pins=BPE_PIN,
                ),
                vad=_VAD_MODELSCOPE,
            )
        },
    ),
    CatalogModel(
        name="sensevoice-small-sherpa",
        edition="sherpa",
        bundle="sensevoice-small-sherpa",
        title="sherpa-onnx's ONNX in FP32 and INT8, 1.2 GB: to compare its INT8 with ours",
        precisions=(*BOTH, "int8-upstream"),
        licence=LICENCE,
        languages=LANGUAGES,
        download_mb=1_180,
        bundle_mb=1_430,
        origins={
            Source.HUGGINGFACE: Origin(
                asr=Repository(repo=SHERPA_ONNX, files=("model.int8.onnx", "tokens.txt"), optional=("model.onnx",)), vad=_VAD_HUGGINGFACE
            )
        },
    ),
)
CATALOG: Mapping[str, CatalogModel] = {model.name: model for model in _MODELS}


def find_model(name: str, *, edition: str | None = None) -> CatalogModel:
    """A model by its name, or by the name of its bundle and its edition; UnknownModelError lists what there is."""
    if edition is not None:
        found = next((model for model in CATALOG.values() if model.edition == edition and name in (model.name, FAMILY)), None)
        if found is None:
            raise UnknownModelError(name=name, edition=edition)
        return found
    if name not in CATALOG:
        raise UnknownModelError(name=name)
    return CATALOG[name]
