"""Protocol Buffers' wire format, read where it lies: which fields a message has, and where their values begin and end.

ONNX files and sentencepiece models are such messages. A reader that goes from field to field need not load a gigabyte to learn what is
in it. The format: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}
_LARGEST_VARINT_BYTES = 10

Data = bytes | mmap.mmap


class WireError(ValueError):
    """Bytes that are no message of this format, or end in the middle of one."""


@dataclass(frozen=True)
class Field:
    """One field of a message: its number, its wire type, and the places of its first byte, its value, and the byte after it."""

    number: int
    wire_type: int
    begin: int
    start: int
    stop: int

    @property
    def size(self) -> int:
        """Bytes of the value."""
        return self.stop - self.start


def fields(data: Data, start: int, stop: int) -> Iterator[Field]:
    """The fields of the message that lies between two places, in their order; WireError where there is none."""
    place = start
    while place < stop:
        tag, value = varint(data, place, stop)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"byte {place} begins no field")
        if wire_type == VARINT:
            _, end = varint(data, value, stop)
        elif wire_type == LENGTH:
            size, value = varint(data, value, stop)
            end = value + size
        elif wire_type in _FIXED_BYTES:
            end = value + _FIXED_BYTES[wire_type]
        else:
            raise WireError(f"byte {place} has the wire type {wire_type}, which there is not")
        if end > stop:
            raise WireError(f"the file ends at byte {stop}, in the middle of a field that goes on to byte {end}")
        yield Field(number, wire_type, place, value, end)
        place = end


def varint(data: Data, place: int, stop: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte: -> (the number, the place after it)."""
    number = 0
    for index in range(_LARGEST_VARINT_BYTES):
        if place + index >= stop:
            raise WireError(f"the file ends at byte {stop}, in the middle of a number")
        byte = data[place + index]
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return number, place + index + 1
    raise WireError(f"the number at byte {place} has no end")
