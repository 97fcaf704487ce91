"""What the product claims, and the renderings that may show it: the likeliest to be read right first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from ui.examples.rendering import Rendering

_ENGLISH = ("flite:slt", "kokoro:en-0", "kokoro:en-2", "flite:rms", "flite:awb", "espeak-ng:en-us", "espeak-ng:en-gb")
_MANDARIN = ("kokoro:zh-0", "kokoro:zh-2", "kokoro:zh-4", "espeak-ng:cmn")
_SENTENCES_EN = (
    ("please call me when you reach the station", "the train leaves at seven"),
    ("the weather is very nice today", "we are going to the park"),
    ("i would like a cup of coffee", "thank you very much"),
    ("thank you very much", "we are going to the park"),
)
_SENTENCES_ZH = (
    ("今天天气很好", "我们去公园吧"),
    ("我想喝一杯咖啡", "谢谢你"),
    ("大家好", "天气很好"),
    ("现在我们开始工作", "时间不多了"),
    ("他是我的老师", "我们都很高兴"),
)
#: How loud the music is beside a voice.
_MUSIC = (0.2, 0.1, 0.05, 0.03)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One thing that an example shows; ``tags`` are values that its segments must have, by their family."""

    name: str
    renderings: tuple[Rendering, ...]
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _spoken(voices: tuple[str, ...], texts: tuple[tuple[str, ...], ...], written: str = "") -> tuple[Rendering, ...]:
    return tuple(Rendering(voice=voice, sentences=sentences, written=written) for sentences, voice in product(texts, voices))


def _two_languages() -> tuple[Rendering, ...]:
    return tuple(
        Rendering(voice=f"{english},{mandarin}", sentences=(first[0], second[0]))
        for (first, second), english, mandarin in product(product(_SENTENCES_EN, _SENTENCES_ZH), _ENGLISH[:2], _MANDARIN[:2])
    )


def _over_music() -> tuple[Rendering, ...]:
    return tuple(
        Rendering(voice=voice, sentences=sentences, music=gain)
        for sentences, gain, voice in product((*_SENTENCES_EN[1:], _SENTENCES_EN[-1][:1]), _MUSIC, _ENGLISH[:1])
    )


def _moved() -> tuple[Rendering, ...]:
    """Voices as lively or as dull as a synthesizer can be."""
    return tuple(
        Rendering(voice=f"espeak-ng:{voice}", sentences=("i am so happy to see you today",), pitch=pitch, words_a_minute=speed)
        for voice, pitch, speed in product(("en-us", "en-us+f3"), (90, 70, 30), (190, 150))
    )


CLAIMS: Mapping[str, Claim] = {
    claim.name: claim
    for claim in (
        Claim(name="sentence-en", renderings=_spoken(_ENGLISH, _SENTENCES_EN), tags={"language": ("en",)}),
        Claim(name="sentence-zh", renderings=_spoken(_MANDARIN, _SENTENCES_ZH), tags={"language": ("zh",)}),
        Claim(
            name="digits-en",
            renderings=_spoken(_ENGLISH, (("three one four one five", "nine two six five three"),), written="31415 92653"),
            tags={"language": ("en",)},
        ),
        Claim(name="emotion", renderings=_moved(), tags={"emotion": ("HAPPY",)}),
        Claim(name="music", renderings=_over_music(), tags={"event": ("BGM",)}),
        Claim(name="two-languages", renderings=_two_languages(), tags={"language": ("en", "zh")}),
    )
}
