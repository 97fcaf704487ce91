"""Language, emotion and event tags: the one table of what SenseVoice can say about a segment.

Values are upstream's own words (FunAudioLLM/SenseVoice, ``<|…|>`` pieces of its vocabulary), so that a
result can be compared with any other runtime. Token ids are never written down here: they are looked up in the
bundle's vocabulary by piece, because a small bundle numbers its pieces differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from engine.errors import UnknownLanguageError
from engine.language_names import language_called


class Language(StrEnum):
    """Spoken language (LID), output position 0."""

    ZH = "zh"
    EN = "en"
    YUE = "yue"
    JA = "ja"
    KO = "ko"
    NOSPEECH = "nospeech"


class Emotion(StrEnum):
    """Speech emotion (SER), output position 1."""

    HAPPY = "HAPPY"
    SAD = "SAD"
    ANGRY = "ANGRY"
    NEUTRAL = "NEUTRAL"
    FEARFUL = "FEARFUL"
    DISGUSTED = "DISGUSTED"
    SURPRISED = "SURPRISED"
    EMO_UNKNOWN = "EMO_UNKNOWN"


class Event(StrEnum):
    """Audio event (AED), output position 2."""

    SPEECH = "Speech"
    BGM = "BGM"
    APPLAUSE = "Applause"
    LAUGHTER = "Laughter"
    CRY = "Cry"
    SNEEZE = "Sneeze"
    BREATH = "Breath"
    COUGH = "Cough"
    SING = "Sing"
    SPEECH_NOISE = "Speech_Noise"
    EVENT_UNK = "Event_UNK"


class TextNorm(StrEnum):
    """Inverse text normalization (ITN), output position 3."""

    WITHITN = "withitn"
    WOITN = "woitn"


Tag = Language | Emotion | Event | TextNorm

#: The tag family that each of the four prompt positions answers with, in upstream's order.
TAG_POSITIONS: tuple[type[Language | Emotion | Event | TextNorm], ...] = (Language, Emotion, Event, TextNorm)

#: What a person may ask for: let the model decide, or one spoken language.
LANGUAGE_CHOICES: tuple[str, ...] = ("auto", *(language.value for language in Language if language is not Language.NOSPEECH))

_SPELLINGS: dict[str, Tag] = {tag.value: tag for family in TAG_POSITIONS for tag in family}


def piece_of(tag: Tag) -> str:
    """The vocabulary piece that stands for a tag: ``Emotion.HAPPY`` -> ``"<|HAPPY|>"``."""
    return f"<|{tag.value}|>"


def tag_of(piece: str) -> Tag | None:
    """The tag that a vocabulary piece stands for, or None for ordinary text pieces."""
    if not (piece.startswith("<|") and piece.endswith("|>")):
        return None
    return _SPELLINGS.get(piece[2:-2])


def parse_language(text: str) -> str:
    """The language a person chose, as one of :data:`LANGUAGE_CHOICES`: a code of ours, or what :mod:`engine.language_names` knows.

    ``zh-CN``, ``EN``, ``english`` and 粤语 are understood. Raises UnknownLanguageError for anything else: a wrong code is an error and
    never "auto", for upstream reads ``"zn"`` as auto, and people lose hours to it.
    """
    language = language_called(text)
    if language is None:
        raise UnknownLanguageError(language=text, known=LANGUAGE_CHOICES)
    return language


def likeliest_emotion(probabilities: Mapping[Emotion, float], *, ban_unknown: bool = False) -> Emotion:
    """The emotion with the highest probability; with ``ban_unknown`` the next best one where that is EMO_UNKNOWN.

    A model that knows no emotion but EMO_UNKNOWN answers it all the same. The earlier one wins a tie.
    """
    named = {emotion: value for emotion, value in probabilities.items() if emotion is not Emotion.EMO_UNKNOWN}
    choice = (named or probabilities) if ban_unknown else probabilities
    return max(choice, key=lambda emotion: choice[emotion])
