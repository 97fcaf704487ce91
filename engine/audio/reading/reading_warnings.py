"""Warnings about a recording that was read although parts of it could not be: from the decoder to the transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from engine.files.typed_values import converted


class WarningType(StrEnum):
    """The closed list; each has its English sentence here and its Chinese one in ``ui/text/locales``."""

    ENDS_EARLY = "ends_early"
    BREAKS_OFF = "breaks_off"
    DAMAGED = "damaged"
    GAPS = "gaps"
    NOT_NUMBERS = "not_numbers"
    LEFT_OUT = "left_out"
    TIME_JUMP = "time_jump"
    NOT_TAUGHT = "not_taught"
    UNSURE = "unsure"
    HOTWORDS_LEFT_OUT = "hotwords_left_out"
    HOTWORDS_UNWRITABLE = "hotwords_unwritable"


#: The sentence of each type, and thereby the names of its values.
MESSAGES: Mapping[WarningType, str] = {
    WarningType.ENDS_EARLY: "it ends early: its header promises {promised_s} s, and it holds {read_s} s",
    WarningType.BREAKS_OFF: "it breaks off: nothing after {read_s} s could be read",
    WarningType.DAMAGED: "{lost_s} s of it are damaged, in {places} place(s), the first at {first_s} s; what cannot be read is silent",
    WarningType.GAPS: "it holds no sound for {gap_s} s, in {places} place(s), the first at {first_s} s: it was paused there, or is damaged",
    WarningType.NOT_NUMBERS: "{count} of its samples are not numbers (NaN or infinity); they count as silence",
    WarningType.LEFT_OUT: "{bytes} bytes of it, from byte {from_byte} on, are no sound that can be read, and were left out",
    WarningType.TIME_JUMP: "its times jump by {jump_s} s at {at_s} s, which was not followed; what comes after may be placed too early",
    WarningType.NOT_TAUGHT: "{segments} of its segments are in a language that this model was not taught; their text means nothing",
    WarningType.UNSURE: "the model was unsure of it as a whole ({percent} % confidence on average): expect many wrong words",
    WarningType.HOTWORDS_LEFT_OUT: (
        "it was decoded without hotwords and other readings: {bundle} was made before they existed; make the bundle again with "
        "`python -m models export CHECKPOINT --output BUNDLE` or `python -m models import FOLDER --output BUNDLE`"
    ),
    WarningType.HOTWORDS_UNWRITABLE: "{count} of the hotwords cannot be written in this model's vocabulary and were left out: {phrases}",
}
#: The types with a text among their values, and which; all other values are numbers.
TEXTS: Mapping[WarningType, tuple[str, ...]] = {WarningType.HOTWORDS_LEFT_OUT: ("bundle",), WarningType.HOTWORDS_UNWRITABLE: ("phrases",)}
#: Characters of such a text.
_MOST_CHARACTERS = 500


@dataclass(frozen=True, kw_only=True)
class ReadingWarning:
    """One thing that a person should know about how a recording was read; ``values`` are what its message is made of."""

    type: WarningType
    values: Mapping[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """ValueError where a value is missing or of another kind, which another process may have sent."""
        for name, value in self.values.items():
            if isinstance(value, str) and (name not in TEXTS.get(self.type, ()) or len(value) > _MOST_CHARACTERS):
                raise ValueError(f"a warning {self.type.value} with a text as {name}")
        try:
            self.message  # noqa: B018 - made once, to see that it can be made
        except KeyError as error:
            raise ValueError(f"a warning {self.type.value} without {error}") from error

    @property
    def message(self) -> str:
        """One English sentence about "it", the recording."""
        return MESSAGES[self.type].format(**self.values)

    def to_dict(self) -> dict[str, Any]:
        """As the JSON contract has it."""
        return {"type": self.type.value, "message": self.message, "values": dict(self.values)}


def received_warnings(values: Any) -> tuple[ReadingWarning, ...]:
    """The warnings of a JSON contract; ValueError for what :meth:`ReadingWarning.to_dict` does not make."""
    return cast("tuple[ReadingWarning, ...]", converted(values, tuple[ReadingWarning, ...]))
