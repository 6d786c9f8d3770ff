"""Dataclass fields to bytes and back, driven by the fields' own table.

A message is a dataclass whose fields say how they lie on the wire:

    @message
    class Drug(Message):
        name: str = wire(TEXT, maximum=24, doc="...")
        concentration_pg_ml: int = wire("Q", unit="pg/mL", doc="...")

Integers are little-endian `struct` formats. TEXT and BLOB are a length byte and that many bytes
(text: UTF-8), LONG the same with a length of two bytes. A nested message lies in place; a list of
them is a count byte and its items.
Decoding is total: whatever is not exactly one valid message raises RemoteError.
"""

import dataclasses
import enum
import struct
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeVar, dataclass_transform

from protocol.errors import LocalError, RemoteError

TEXT: Final = "text"
BLOB: Final = "blob"
LONG: Final = "long"
STRUCT: Final = "struct"
LIST: Final = "list"
_METADATA: Final = "wire"


@dataclasses.dataclass(frozen=True, slots=True)
class Wire:
    """How one field lies on the wire, and what it means."""

    kind: str
    unit: str
    doc: str
    enum: type[enum.IntEnum] | None
    item: type[Any] | None
    maximum: int


def wire(
    kind: str,
    *,
    unit: str = "",
    doc: str = "",
    values: type[enum.IntEnum] | None = None,
    item: type[Any] | None = None,
    maximum: int = 255,
    default: Any = dataclasses.MISSING,
) -> Any:
    """Declare a dataclass field with its place in the table.

    Args:
        kind: a `struct` integer format (B H I Q b h i q), or TEXT, BLOB, LONG, STRUCT, LIST.
        unit: unit of the number, for people and for the specification.
        doc: one line that says what it means.
        values: the enum an integer must be a member of.
        item: the message class of a STRUCT or of the items of a LIST.
        maximum: bytes of a TEXT, BLOB or LONG, items of a LIST; at most 255, of a LONG 65,535.
        default: for those who make the message; on the wire every field is there.
    """
    place = {_METADATA: Wire(kind, unit, doc, values, item, maximum)}
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=place)
    return dataclasses.field(metadata=place, default=default)


class Message:
    """Base of every dataclass made of `wire` fields."""

    __slots__ = ()


T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(wire,))
def message(cls: type[T]) -> type[T]:
    """Make a dataclass of `wire` fields: fixed once made, and a value to compare and hash.

    The type checker holds it fixed. `frozen=True` would too, but makes each one, as a request
    passes, at eight times the cost.
    """
    return dataclasses.dataclass(slots=True, unsafe_hash=True)(cls)


M = TypeVar("M", bound=Message)
_Writer = Callable[[Any], bytes]
_Reader = Callable[[bytes, int, list[Any]], int]


def fields(message: type[Message]) -> list[tuple[str, Wire]]:
    """Return (name, wire) of each field in wire order."""
    return [(f.name, f.metadata[_METADATA]) for f in dataclasses.fields(message)]  # type: ignore[arg-type]


def encode(message: Message) -> bytes:
    """Return the bytes of a message. Raises LocalError for a value that does not fit its field."""
    return b"".join([write(message) for write in _plan(type(message))[0]])


def decode(message: type[M], data: bytes) -> M:
    """Return the message that `data` holds, all of it. Raises RemoteError."""
    value, end = _decode_at(message, data, 0)
    if end != len(data):
        raise RemoteError(f"{message.__name__}: {len(data) - end} bytes too many")
    return value


def _decode_at(message: type[M], data: bytes, offset: int) -> tuple[M, int]:
    values: list[Any] = []
    try:
        for read in _plan(message)[1]:
            offset = read(data, offset, values)
    except (struct.error, ValueError, IndexError) as error:
        raise RemoteError(f"{message.__name__}: {error}") from None
    return message(*values), offset


_PLANS: Final[dict[type[Message], tuple[list[_Writer], list[_Reader]]]] = {}


def _plan(message: type[Message]) -> tuple[list[_Writer], list[_Reader]]:
    plan = _PLANS.get(message)
    if plan is None:
        plan = _PLANS[message] = _compile(message)
    return plan


def _compile(message: type[Message]) -> tuple[list[_Writer], list[_Reader]]:
    """Read the field table once: runs of integers become one `struct` call."""
    writers: list[_Writer] = []
    readers: list[_Reader] = []
    run: list[tuple[str, Wire]] = []

    def flush() -> None:
        if run:
            writers.append(_int_writer(message.__name__, list(run)))
            readers.append(_int_reader(list(run)))
            run.clear()

    for name, spec in fields(message):
        if spec.kind in _VARIABLE:
            flush()
            writers.append(_VARIABLE[spec.kind][0](name, spec))
            readers.append(_VARIABLE[spec.kind][1](name, spec))
        else:
            run.append((name, spec))
    flush()
    return writers, readers


def _int_writer(owner: str, run: list[tuple[str, Wire]]) -> _Writer:
    packer = struct.Struct("<" + "".join(spec.kind for _, spec in run))
    names = [name for name, _ in run]
    values_of = _values_getter(names)

    def write(message: Any) -> bytes:
        values = values_of(message)
        try:
            return packer.pack(*values)
        except struct.error as error:
            named = dict(zip(names, values, strict=True))
            raise LocalError(f"{owner}: {error} in {named}") from None

    return write


def _values_getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda message: (get(message),)


def _int_reader(run: list[tuple[str, Wire]]) -> _Reader:
    packer = struct.Struct("<" + "".join(spec.kind for _, spec in run))
    enums = [(index, _Members(spec.enum)) for index, (_, spec) in enumerate(run) if spec.enum]

    def read(data: bytes, offset: int, values: list[Any]) -> int:
        numbers: list[Any] = list(packer.unpack_from(data, offset))
        for index, members in enums:
            numbers[index] = members[numbers[index]]
        values += numbers
        return offset + packer.size

    return read


class _Members(dict[int, enum.IntEnum]):
    """An enum's members by number: a tenth of the cost of a call of the enum."""

    def __init__(self, kind: type[enum.IntEnum]) -> None:
        super().__init__({member.value: member for member in kind})
        self._kind = kind

    def __missing__(self, number: int) -> enum.IntEnum:
        return self._kind(number)  # raises its ValueError


def _bytes_writer(name: str, spec: Wire) -> _Writer:
    length_bytes = _length_bytes(spec)

    def write(message: Any) -> bytes:
        value = getattr(message, name)
        data: bytes = value.encode() if spec.kind == TEXT else value
        if len(data) > spec.maximum:
            raise LocalError(f"{name}: {len(data)} bytes, at most {spec.maximum} fit")
        return len(data).to_bytes(length_bytes, "little") + data

    return write


def _length_bytes(spec: Wire) -> int:
    return 2 if spec.kind == LONG else 1


def _bytes_reader(name: str, spec: Wire) -> _Reader:
    length_bytes = _length_bytes(spec)

    def read(data: bytes, offset: int, values: list[Any]) -> int:
        start = offset + length_bytes
        end = start + int.from_bytes(data[offset:start], "little")
        if end - start > spec.maximum or not start <= end <= len(data):
            raise ValueError(f"{name}: length {end - start}")
        part = data[start:end]
        values.append(part.decode() if spec.kind == TEXT else part)
        return end

    return read


def _struct_writer(name: str, spec: Wire) -> _Writer:
    def write(message: Any) -> bytes:
        return encode(getattr(message, name))

    return write


def _struct_reader(name: str, spec: Wire) -> _Reader:
    item = _item(name, spec)

    def read(data: bytes, offset: int, values: list[Any]) -> int:
        value, offset = _decode_at(item, data, offset)
        values.append(value)
        return offset

    return read


def _list_writer(name: str, spec: Wire) -> _Writer:
    def write(message: Any) -> bytes:
        items = getattr(message, name)
        if len(items) > spec.maximum:
            raise LocalError(f"{name}: {len(items)} items, at most {spec.maximum} fit")
        return bytes([len(items)]) + b"".join([encode(item) for item in items])

    return write


def _list_reader(name: str, spec: Wire) -> _Reader:
    item = _item(name, spec)

    def read(data: bytes, offset: int, values: list[Any]) -> int:
        count = data[offset]
        if count > spec.maximum:
            raise ValueError(f"{name}: {count} items")
        offset += 1
        items = []
        for _ in range(count):
            value, offset = _decode_at(item, data, offset)
            items.append(value)
        values.append(tuple(items))
        return offset

    return read


def _item(name: str, spec: Wire) -> type[Message]:
    if spec.item is None:
        raise LocalError(f"{name}: a {spec.kind} field names its item class")
    return spec.item


_VARIABLE: Final[
    dict[str, tuple[Callable[[str, Wire], _Writer], Callable[[str, Wire], _Reader]]]
] = {
    TEXT: (_bytes_writer, _bytes_reader),
    BLOB: (_bytes_writer, _bytes_reader),
    LONG: (_bytes_writer, _bytes_reader),
    STRUCT: (_struct_writer, _struct_reader),
    LIST: (_list_writer, _list_reader),
}
