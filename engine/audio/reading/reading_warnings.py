"""What could not be read of a recording that was read all the same: said by the decoder, carried to whoever reads the transcript."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


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
}


@dataclass(frozen=True, kw_only=True)
class ReadingWarning:
    """One thing that a person should know about how a recording was read; ``values`` are what its message is made of."""

    type: WarningType
    values: Mapping[str, float | int] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """One English sentence about "it", the recording."""
        return MESSAGES[self.type].format(**self.values)

    def to_dict(self) -> dict[str, Any]:
        """As the JSON contract and the messages of a decode worker have it."""
        return {"type": self.type.value, "message": self.message, "values": dict(self.values)}


def warnings_from_wire(said: Any) -> tuple[ReadingWarning, ...]:
    """The warnings that another process sent; the messages are made here, from numbers alone.

    Raises KeyError, TypeError or ValueError for what :meth:`ReadingWarning.to_dict` does not make.
    """
    found = []
    for one in said:
        values = {str(name): _number(value) for name, value in dict(one["values"]).items()}
        warning = ReadingWarning(type=WarningType(one["type"]), values=values)
        warning.message  # noqa: B018 - KeyError where a value is missing
        found.append(warning)
    return tuple(found)


def warnings_to_wire(warnings: Iterable[ReadingWarning]) -> list[dict[str, Any]]:
    """Warnings as plain values for JSON."""
    return [warning.to_dict() for warning in warnings]


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return value
