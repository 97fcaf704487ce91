"""How one recording is to be read and transcribed: one value, parsed once at each edge and passed whole.

An option is added here, in the place where it takes effect, and at the edges that offer it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.audio.read_options import ReadOptions
from engine.errors import UnknownPrecisionError
from engine.option_fields import check_ranges, flat_fields, parse_fields
from engine.speech.decoding.hotwords import Hotword
from engine.speech.endpointing import VadOptions
from engine.tags import parse_language

#: The precision of the engine: the one of a request that names none.
CURRENT = "current"
#: Choices of the VAD's precision beside the variants: the one that the request runs in, or no VAD at all.
VAD_AS_REQUEST, VAD_OFF = "same", "off"
#: Readings of a segment that may be asked for: as many as the search keeps.
N_BEST = (1, 8)


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """The options of one request. ``language`` may be given under any name that is understood, and is kept as its code.

    Raises UnknownLanguageError, and OptionRangeError for ``n_best``; ``vad`` and ``read`` check their own values.
    """

    language: str = "auto"
    #: Numbers as digits (inverse text normalization).
    itn: bool = True
    #: Never answer EMO_UNKNOWN: take the likeliest other emotion.
    ban_emo_unknown: bool = False
    #: A variant of the bundle, or CURRENT.
    precision: str = CURRENT
    #: A variant of the bundle, VAD_AS_REQUEST, or VAD_OFF: then the recording is cut every ``vad.max_segment_ms``.
    vad_precision: str = VAD_AS_REQUEST
    vad: VadOptions = field(default_factory=VadOptions)
    #: Phrases that are searched for among the network's guesses; as text one a line (:mod:`engine.speech.decoding.hotwords`).
    hotwords: tuple[Hotword, ...] = ()
    #: A Chinese hotword also counts where other characters of its sound were recognized, and is written in its own.
    homophones: bool = False
    #: Readings of each segment that are answered; 1 is the text alone.
    n_best: int = 1
    #: Which track and channels: for whoever opens the recording, which is not the engine.
    read: ReadOptions = field(default_factory=ReadOptions)

    def __post_init__(self) -> None:
        object.__setattr__(self, "language", parse_language(self.language))
        check_ranges(self, {"n_best": N_BEST})

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> TranscribeOptions:
        """From flat values by option name, text or typed; the default for what is absent or None, other names are left alone.

        The one place where an edge's values are refused: UnknownLanguageError, UnknownChannelError, OptionChoiceError and
        OptionRangeError name the value and what may be chosen; the errors of :func:`parse_hotwords` name the line.
        """
        return parse_fields(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """Flat, as JSON takes it: what :meth:`parse` reads."""
        return flat_fields(self)

    @property
    def asks_for_search(self) -> bool:
        """Whether greedy decoding would not do: hotwords or other readings are asked for."""
        return bool(self.hotwords) or self.n_best > 1

    def check(self, precisions: Iterable[str]) -> None:
        """UnknownPrecisionError for a precision that is none of the bundle's variants."""
        variants = tuple(precisions)
        for chosen, others in ((self.precision, (CURRENT,)), (self.vad_precision, (VAD_AS_REQUEST, VAD_OFF))):
            if chosen not in (*others, *variants):
                raise UnknownPrecisionError.of(chosen, (*others, *variants))


DEFAULT_OPTIONS = TranscribeOptions()
