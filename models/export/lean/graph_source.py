"""An ONNX file whose large weights stay in it until they are asked for, one at a time.

``onnx.load`` holds a file of a gigabyte twice while it parses it. Here the messages are gone through field by field, and of each large
weight only its place is kept: in the graph's own file, or in the file of external data that it names.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.errors import first_line
from models.export.graph_file import EXTERNAL_BYTES, ExportError
from models.export.lean.wire import LENGTH, WireError, fields

#: Fields of the messages ModelProto, GraphProto and TensorProto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
_MAGIC_OF_OTHERS = {b"PK\x03\x04": "a zip or a PyTorch file", b"vers": "a Git LFS pointer, not the file itself", b"<!DO": "a web page"}


@dataclass(frozen=True)
class Place:
    """Where the bytes of a weight lie."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """The bytes; ExportError where the file has become shorter."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise ExportError(f"{self.path} ends before byte {self.offset + self.size}, where a weight does; fetch it again")
        return data


class GraphSource:
    """An open ONNX file: ``model`` without its large weights, whose values :meth:`array` reads."""

    def __init__(self, path: Path, model: onnx.ModelProto, places: dict[str, Place]) -> None:
        self.path, self.model, self._places = path, model, places
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    @classmethod
    def open(cls, path: Path) -> GraphSource:
        """Read a file's graph; ExportError where it is no ONNX file, is cut short, or its external weights are not beside it."""
        try:
            model, places = _read(path)
        except WireError as error:
            raise ExportError(f"{path} cannot be read as an ONNX graph ({_suspicion(path) or error}); fetch it again") from error
        except Exception as error:  # protobuf's DecodeError shares no base with anything but Exception
            if isinstance(error, ExportError | OSError):
                raise
            raise ExportError(f"{path} cannot be read as an ONNX graph ({first_line(error)[:200]}); fetch it again") from error
        if not model.graph.node:
            raise ExportError(f"{path} cannot be read as an ONNX graph ({_suspicion(path) or 'it has no operators'}); fetch it again")
        for tensor in model.graph.initializer:
            if tensor.data_location == TensorProto.EXTERNAL and tensor.name not in places:
                places[tensor.name] = _external_place(path, tensor)
        return cls(path, model, places)

    @property
    def stored(self) -> dict[str, TensorProto]:
        """The weights by name: type and shape, and the values of small ones."""
        return self._tensors

    @property
    def files(self) -> tuple[Path, ...]:
        """The graph's file, and the files of external data that it names."""
        return tuple(dict.fromkeys([self.path, *(place.path for place in self._places.values())]))

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(path.stat().st_size for path in self.files)

    def array(self, name: str) -> NDArray[np.generic]:
        """The values of a weight."""
        tensor, place = self._tensors[name], self._places.get(name)
        if place is None:
            return numpy_helper.to_array(tensor)
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).newbyteorder("<")
        if place.size != kind.itemsize * int(np.prod(tensor.dims)):
            raise ExportError(f"{self.path}: the weight {name} has {place.size} bytes, not what its shape needs; fetch it again")
        return np.frombuffer(place.read(), kind).reshape(tuple(tensor.dims))

    def whole(self) -> onnx.ModelProto:
        """A copy of the graph with all its weights inside."""
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for tensor in model.graph.initializer:
            if tensor.name in self._places:
                tensor.CopyFrom(numpy_helper.from_array(self.array(tensor.name), tensor.name))
        return model

    def runnable(self, folder: Path) -> Path:
        """A file that ONNX Runtime opens: this one, or where its external data lies behind symbolic links, a copy in ``folder``.

        ONNX Runtime follows no symbolic link to external data, and the cache of Hugging Face's library consists of such links.
        """
        if len(self.files) == 1 or not any(path.is_symlink() for path in self.files):
            return self.path
        for path in self.files:
            link_or_copy(path, folder / path.name)
        return folder / self.path.name


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name; where its disk is another one, a copy."""
    real = source.resolve()
    try:
        os.link(real, target)
    except OSError:
        target.write_bytes(b"")
        with real.open("rb") as reading, target.open("wb") as writing:
            while chunk := reading.read(1 << 22):
                writing.write(chunk)


def _read(path: Path) -> tuple[onnx.ModelProto, dict[str, Place]]:
    """The graph of a file and the places of the large weights in it."""
    size = path.stat().st_size
    if size == 0:
        raise WireError("it is empty")
    places: dict[str, Place] = {}
    rest, inside = bytearray(), bytearray()
    large: list[TensorProto] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for field in fields(data, 0, size):
            if field.number != _GRAPH or field.wire_type != LENGTH:
                rest += data[field.begin : field.stop]
                continue
            for part in fields(data, field.start, field.stop):
                if part.number != _INITIALIZER or part.wire_type != LENGTH or part.size < EXTERNAL_BYTES:
                    inside += data[part.begin : part.stop]
                    continue
                tensor, place = _without_data(path, data, part.start, part.stop)
                large.append(tensor)
                if place is not None:
                    places[tensor.name] = place
    model = onnx.ModelProto.FromString(bytes(rest))
    model.graph.MergeFromString(bytes(inside))
    model.graph.initializer.extend(large)
    return model, places


def _without_data(path: Path, data: mmap.mmap, start: int, stop: int) -> tuple[TensorProto, Place | None]:
    """A tensor whose raw data stays in the file, marked as external data of the graph's own file."""
    head, place = bytearray(), None
    for field in fields(data, start, stop):
        if field.number == _RAW_DATA and field.wire_type == LENGTH and field.size >= EXTERNAL_BYTES:
            place = Place(path, field.start, field.size)
        else:
            head += data[field.begin : field.stop]
    tensor = TensorProto.FromString(bytes(head))
    if place is not None:
        mark_external(tensor, location=path.name, offset=place.offset, size=place.size)
    return tensor, place


def mark_external(tensor: TensorProto, *, location: str, offset: int, size: int) -> None:
    """Say in a tensor that its values lie in another file, in place."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)


def _external_place(path: Path, tensor: TensorProto) -> Place:
    """Where a tensor says that its values lie: in a file of the graph's own folder."""
    stated = {entry.key: entry.value for entry in tensor.external_data}
    location = PurePosixPath(stated.get("location", ""))
    if not location.name or location.is_absolute() or ".." in location.parts or "\\" in stated["location"]:
        raise ExportError(f"{path} wants weights from {stated.get('location', '')!r}, outside its folder; fetch it again")
    data = path.parent / location
    if not data.is_file():
        raise ExportError(f"{path} keeps its weights in {data.name}, which is not beside it; fetch that file too")
    numbers = [stated.get("offset", "0"), stated.get("length", "")]
    offset = int(numbers[0]) if numbers[0].isdecimal() else 0
    size = int(numbers[1]) if numbers[1].isdecimal() else data.stat().st_size - offset
    if size < 0 or offset + size > data.stat().st_size:
        raise ExportError(f"{data} has {data.stat().st_size} bytes where {path.name} needs {offset + size}; fetch it again")
    return Place(data, offset, size)


def _suspicion(path: Path) -> str | None:
    """What a file that is no ONNX graph probably is, by its first bytes."""
    with path.open("rb") as file:
        begin = file.read(4)
    return next((what for magic, what in _MAGIC_OF_OTHERS.items() if begin.startswith(magic)), None)
