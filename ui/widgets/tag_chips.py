"""Language, emotion and event tags as coloured chips with an emoji; the probabilities show on hover and on keyboard focus."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

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

_EMOJI_BY_FAMILY: Mapping[str, Mapping[str, str]] = {
    "language": {tag.value: EMOJI[tag] for tag in Language},
    "emotion": {tag.value: EMOJI[tag] for tag in Emotion},
    "event": {tag.value: EMOJI[tag] for tag in Event},
}

FAMILIES = ("language", "emotion", "event")
LIKELIEST_SHOWN = 3
RIVAL_SHOWN_FROM = 0.005


def chip(family: str, value: str, texts: Texts, *, confidence: float | None = None, margin: float | None = None) -> str:
    """One tag as a chip; its probability, or its lead over the second best tag, stands in the title where it is known."""
    emoji = _EMOJI_BY_FAMILY[family].get(value, "")
    title = f"{texts(f'family.{family}')}: {texts.tag(value)}"
    if confidence is not None:
        title += f", {percent(confidence)}"
    if margin is not None:
        title += f"; {texts('compare.margin')} {percent(margin)}"
    return (
        f'<span class="lv-tag lv-{family} lv-{escape(value, quote=True)}" title="{escape(title, quote=True)}">'
        f'<span aria-hidden="true">{emoji}</span> {escape(texts.tag(value))}</span>'
    )


def chips(segment: Segment, texts: Texts) -> str:
    """The three tags of a segment; one stop of the Tab key that opens the probabilities of all three."""
    tags = {"language": segment.language.value, "emotion": segment.emotion.value, "event": segment.event.value}
    confidence = {"language": segment.confidence.language, "emotion": segment.confidence.emotion, "event": segment.confidence.event}
    inner = "".join(chip(family, tags[family], texts, confidence=confidence[family]) for family in FAMILIES)
    spoken = ", ".join(f"{texts.tag(tags[family])} {percent(confidence[family])}" for family in FAMILIES)
    tip = "".join(_likeliest(family, tags[family], confidence[family], segment, texts) for family in FAMILIES)
    return (
        f'<span class="lv-tags" tabindex="0" role="group" aria-label="{escape(spoken, quote=True)}">{inner}'
        f'<span class="lv-tip" aria-hidden="true">{tip}</span></span>'
    )


def _likeliest(family: str, value: str, confidence: float, segment: Segment, texts: Texts) -> str:
    """The chosen tag and its likeliest rivals as small bars; what is as good as impossible is left out."""
    known = dict(segment.probabilities.get(family, {})) | {value: confidence}
    worth_showing = [(name, probability) for name, probability in known.items() if name == value or probability >= RIVAL_SHOWN_FROM]
    ranked = sorted(worth_showing, key=lambda item: item[1], reverse=True)[:LIKELIEST_SHOWN]
    rows = "".join(
        f'<span class="lv-tip-row"><span>{escape(texts.tag(name))}</span>'
        f'<span class="lv-bar"><span style="width:{probability * 100:.1f}%"></span></span><span>{percent(probability)}</span></span>'
        for name, probability in ranked
    )
    return f'<span class="lv-tip-family">{escape(texts(f"family.{family}"))}</span>{rows}'
