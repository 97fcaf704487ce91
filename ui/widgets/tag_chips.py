"""What is shown of language, emotion and event tags: an emoji each, probabilities, and the likeliest rivals of the one that was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from engine.tags import Emotion, Event, Language
from engine.transcript import Segment
from ui.text.quantities import percent
from ui.text.texts import Texts

#: Emoji of each tag. Colours are in ui/assets/page.css, by the class ``lv-<value>``.
EMOJI: Mapping[Language | Emotion | Event, str] = {
    Language.ZH: "🌐",
    Language.EN: "🌐",
    Language.YUE: "🌐",
    Language.JA: "🌐",
    Language.KO: "🌐",
    Language.NOSPEECH: "🔇",
    Emotion.HAPPY: "😊",
    Emotion.SAD: "😔",
    Emotion.ANGRY: "😠",
    Emotion.NEUTRAL: "😐",
    Emotion.FEARFUL: "😨",
    Emotion.DISGUSTED: "🤢",
    Emotion.SURPRISED: "😮",
    Emotion.EMO_UNKNOWN: "❔",
    Event.SPEECH: "💬",
    Event.BGM: "🎵",
    Event.APPLAUSE: "👏",
    Event.LAUGHTER: "😄",
    Event.CRY: "😭",
    Event.SNEEZE: "🤧",
    Event.BREATH: "💨",
    Event.COUGH: "😷",
    Event.SING: "🎤",
    Event.SPEECH_NOISE: "📢",
    Event.EVENT_UNK: "❔",
}
FAMILIES = ("language", "emotion", "event")
LIKELIEST_SHOWN = 3
RIVAL_SHOWN_FROM = 0.005
_BY_FAMILY: Mapping[str, Mapping[str, str]] = {
    "language": {tag.value: EMOJI[tag] for tag in Language},
    "emotion": {tag.value: EMOJI[tag] for tag in Emotion},
    "event": {tag.value: EMOJI[tag] for tag in Event},
}


class Chip(NamedTuple):
    """One tag as it is shown."""

    family: str
    value: str
    title: str
    emoji: str
    name: str


def chip_of(family: str, value: str, texts: Texts, *, confidence: float, margin: float | None = None) -> Chip:
    """A tag with its probability, and its lead over the second best where it is known, in the title."""
    name = texts.tag(value)
    title = f"{texts(f'family.{family}')}: {name}, {percent(confidence)}"
    if margin is not None:
        title += f"; {texts('compare.margin')} {percent(margin)}"
    return Chip(family, value, title, _BY_FAMILY[family].get(value, ""), name)


class SegmentTags(NamedTuple):
    """The tags of a segment: all in words, a chip each, and by family the likeliest with their probabilities."""

    spoken: str
    chips: list[Chip]
    #: (family's name, (tag's name, percent, percent in words) each)
    likeliest: list[tuple[str, list[tuple[str, str, str]]]]


def tags_of(segment: Segment, texts: Texts) -> SegmentTags:
    """The three tags of a segment. The template calls this once a segment: a call from a template costs more than one from here."""
    spoken, chips, tips = [], [], []
    for family in FAMILIES:
        value, confidence = getattr(segment, family).value, getattr(segment.confidence, family)
        chips.append(chip_of(family, value, texts, confidence=confidence))
        spoken.append(f"{chips[-1].name} {percent(confidence)}")
        ranked = likeliest(value, confidence, segment.probabilities.get(family, {}))
        rows = [(texts.tag(name), f"{probability * 100:.1f}", percent(probability)) for name, probability in ranked]
        tips.append((texts(f"family.{family}"), rows))
    return SegmentTags(", ".join(spoken), chips, tips)


def likeliest(value: str, confidence: float, probabilities: Mapping[str, float]) -> list[tuple[str, float]]:
    """The chosen tag of a family and its likeliest rivals, the likeliest first; what is as good as impossible is left out."""
    known = {**probabilities, value: confidence}
    worth_showing = [(name, probability) for name, probability in known.items() if name == value or probability >= RIVAL_SHOWN_FROM]
    return sorted(worth_showing, key=lambda item: item[1], reverse=True)[:LIKELIEST_SHOWN]
