"""Messages of the wire as JSON objects, and back: every field under its own name, exact.

Integers stay integers in the unit that their name ends with, enumerations are their names, parts
and lists nest. Reading is total: a field that is missing, unknown or of another kind raises
`NotThat`, which names the field by its path, such as `therapy.rate.amount`. A missing field that
the wire has a default for is that default: it is younger than what was written.
"""

import dataclasses
from typing import Any, Final, TypeVar

from protocol import codec
from protocol.codec import LIST, STRUCT, TEXT, Message, Wire
from protocol.errors import LocalError

M = TypeVar("M", bound=Message)
_UNREADABLE: Final = "made by a newer itpump, or not by itpump at all"


class NotThat(ValueError):
    """The object is not such a message; one line that begins with the field's path."""


def values(message: Message) -> dict[str, Any]:
    """Return a message without bytes fields as a JSON object."""
    return {
        name: _value(getattr(message, name), spec) for name, spec in codec.fields(type(message))
    }


def read(kind: type[M], found: object, path: str = "") -> M:
    """Return the message that an object holds. Raises NotThat."""
    if not isinstance(found, dict):
        raise NotThat(f"{path or kind.__name__}: an object is needed")
    specs = dict(codec.fields(kind))
    if unknown := [name for name in found if name not in specs]:
        raise NotThat(f"{_under(path, unknown[0])}: unknown, {_UNREADABLE}")
    given = {
        name: _read(spec, found[name], _under(path, name))
        for name, spec in specs.items()
        if name in found
    }
    for name in _needed(kind):
        if name not in given:
            raise NotThat(f"{_under(path, name)}: missing")
    message = kind(**given)
    try:
        codec.encode(message)
    except LocalError as error:
        raise NotThat(f"{path or kind.__name__}: {error}") from None
    return message


def _value(value: Any, spec: Wire) -> Any:
    if spec.kind == STRUCT:
        return values(value)
    if spec.kind == LIST:
        return [values(item) for item in value]
    return value.name if spec.enum else value


def _read(spec: Wire, found: Any, path: str) -> Any:
    if spec.kind == STRUCT:
        assert spec.item is not None
        return read(spec.item, found, path)
    if spec.kind == LIST:
        assert spec.item is not None
        if not isinstance(found, list):
            raise NotThat(f"{path}: a list is needed")
        return tuple(read(spec.item, item, f"{path}[{i}]") for i, item in enumerate(found))
    if spec.enum is not None:
        names = spec.enum.__members__
        if not isinstance(found, str) or found not in names:
            raise NotThat(f"{path}: {found!s:.40} is unknown, {_UNREADABLE}")
        return names[found]
    wanted = str if spec.kind == TEXT else int
    if type(found) is not wanted or not str(found).isprintable():
        raise NotThat(f"{path}: {'a text' if wanted is str else 'a whole number'} is needed")
    return found


def _needed(kind: type[Message]) -> list[str]:
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return [field.name for field in fields if field.default is dataclasses.MISSING]


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
