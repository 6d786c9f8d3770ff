"""Sections of the protocol page made from the message table: operations, fields, enums, codes."""

import enum
import struct
from typing import Final

from protocol import codec, codes, errors
from protocol.codec import BLOB, LIST, LONG, STRUCT, TEXT, Message, Wire
from protocol.codes import LOG_DETAILS, Code
from protocol.errors import RETRY, ErrorCode, LimitId
from protocol.hello import Hello, HelloResponse
from protocol.messages import WALL_EPOCH, Refusal
from protocol.operations import (
    OPERATIONS,
    PARAMETERS,
    REQUEST_HEADER,
    RESPONSE_HEADER,
    SCHEMA_ID,
    schema_text,
)
from tools.docs.markdown import paragraphs, table

_INTEGERS: Final = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "b": "i8", "h": "i16"} | {
    "i": "i32",
    "q": "i64",
}
_BYTES: Final = {TEXT: "text", BLOB: "bytes", LONG: "long bytes"}
_OWN_TABLES: Final = (Code, ErrorCode, LimitId)
"""Enums that have a section of their own."""
_ALARM_MAX: Final = 31


# --- messages -----------------------------------------------------------------------------------


def message_classes() -> list[type[Message]]:
    """Return each message class once, in the order in which the operations need them."""
    tops: list[type[Message]] = [Hello, HelloResponse, Refusal]
    for row in OPERATIONS:
        tops += [row.request, row.response]
    found: list[type[Message]] = []
    for kind in (*tops, *PARAMETERS.values()):
        _collect(kind, found)
    return found


def _collect(kind: type[Message], found: list[type[Message]]) -> None:
    if kind in found or not codec.fields(kind):
        return
    found.append(kind)
    for _, spec in codec.fields(kind):
        if spec.item is not None:
            _collect(spec.item, found)


def fixed_size(kind: type[Message]) -> int | None:
    """Return the bytes of a message; None when they vary."""
    sizes = [_size(spec) for _, spec in codec.fields(kind)]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _size(spec: Wire) -> int | None:
    if spec.kind == STRUCT and spec.item is not None:
        return fixed_size(spec.item)
    if spec.kind in (*_BYTES, LIST):
        return None
    return struct.calcsize("<" + spec.kind)


def _type(spec: Wire) -> str:
    item = _link(spec.item.__name__) if spec.item else ""
    if spec.kind == STRUCT:
        return item
    if spec.kind == LIST:
        return f"list of {item}, ≤ {spec.maximum}"
    if spec.kind in _BYTES:
        return f"{_BYTES[spec.kind]}, ≤ {spec.maximum}"
    return _INTEGERS[spec.kind]


def _unit(spec: Wire) -> str:
    return _link(spec.enum.__name__) if spec.enum else spec.unit


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def field_table(kind: type[Message]) -> str:
    """Return a message's fields; offsets stop at the first field whose length varies."""
    rows = []
    offset: int | None = 0
    for name, spec in codec.fields(kind):
        size = _size(spec)
        place = "" if offset is None else str(offset)
        length = "" if size is None else str(size)
        rows.append((place, length, f"`{name}`", _type(spec), _unit(spec), spec.doc))
        offset = None if offset is None or size is None else offset + size
    return table(("offset", "size", "field", "type", "unit, enum", "meaning"), rows)


def _message(kind: type[Message]) -> str:
    size = fixed_size(kind)
    length = "Length varies." if size is None else f"Length: {size}."
    return paragraphs(f"### {kind.__name__}", f"{kind.__doc__} {length}", field_table(kind))


def request_section() -> str:
    """Return what a REQ and a RSP carry, and the table of operations."""
    return paragraphs(
        "## 8. Requests and responses",
        f"""
A REQ payload is `opcode u16, req_id u16, body` ({REQUEST_HEADER.size} bytes and the body); the
RSP to it is `opcode u16, req_id u16, result u16, body` ({RESPONSE_HEADER.size} bytes and the
body), with opcode and req_id of the request. `req_id` is the tool's: take another for each
request. `result` is an [error code](#12-error-codes); when it is not OK the body is a
[Refusal](#refusal).
""",
        table(
            ("opcode", "operation", "class", "request", "response", "roles", "what it does"),
            [
                (
                    f"{row.opcode:#06x}",
                    row.name,
                    row.kind,
                    body(row.request),
                    body(row.response),
                    ", ".join(sorted(role.name.lower() for role in row.roles)),
                    row.doc,
                )
                for row in OPERATIONS
            ],
        ),
        """
READ has no effect and may be repeated. TXN is one step of a [transaction](#10-transactions). ACT is
idempotent: doing it again is harmless. Each REQ that is [taken](#6-link-sequence-repetition) is
answered: UNSUPPORTED to an opcode the pump does not know, DENIED to a role that may not, MALFORMED
to a body that is not exactly one message, SESSION_GONE to a channel that is no session's.

The log is read page by page: ask from `first` on, then from the last record's seq + 1; an empty
page is the end. The pump keeps the newest records; a page may begin later than asked for.
""",
    )


def body(kind: type[Message]) -> str:
    """Return a link to a message's table; a dash for an empty one."""
    return _link(kind.__name__) if codec.fields(kind) else "-"


def messages_section() -> str:
    """Return the coding rules and every message's table."""
    return paragraphs(
        "## 9. Messages",
        f"""
Fields lie one after the other, without padding.

- Integers are little-endian, unsigned (u8 u16 u32 u64) unless the type says i. An integer that
  names an enum must be one of its values.
- Text and bytes are a length byte and that many bytes; text is UTF-8. Long bytes have a length of
  two bytes.
- A message inside a message lies in place. A list is a count byte and its items.
- A message ends where its bytes end: one byte more or less makes it MALFORMED.
- Volumes are nL or pL, masses pg, rates pL/h, times µs, each named by the end of the field's name.
  `*_wall_s` counts seconds of the pump's wall clock from {WALL_EPOCH} local; 0 means absent.

`schema_id`, in HELLO_RSP and in every PREPARE, is the CRC-32C of the canonical text of this table,
`{SCHEMA_ID:#010x}` here ({len(schema_text().encode())} bytes; `protocol.operations.schema_text()`).
Tools with another table may read what they know; PREPARE is refused with SCHEMA.
""",
        *[_message(kind) for kind in message_classes()],
    )


# --- enums and codes ----------------------------------------------------------------------------


def enums_section() -> str:
    """Return every enum that a field names."""
    kinds: dict[str, type[enum.IntEnum]] = {}
    for message in message_classes():
        for _, spec in codec.fields(message):
            if spec.enum is not None and spec.enum not in _OWN_TABLES:
                kinds[spec.enum.__name__] = spec.enum
    return paragraphs(
        "## 11. Enums",
        *[_enum(kinds[name]) for name in sorted(kinds)],
    )


def _enum(kind: type[enum.IntEnum]) -> str:
    values = ", ".join(f"{member.value} {member.name}" for member in kind)
    return paragraphs(f"### {kind.__name__}", f"{kind.__doc__}", values + ".")


def errors_section() -> str:
    """Return error codes with what to do about each, and the limits they name."""
    return paragraphs(
        "## 12. Error codes",
        '<a id="errorcode"></a>' + (errors.ErrorCode.__doc__ or "") + " "
        '"Again?" is about the same transaction.',
        table(
            ("code", "name", "again?", "meaning"),
            [(f"{code:#06x}", code.name, *RETRY[code]) for code in ErrorCode],
        ),
        "`Refusal.id` of LIMIT_HARD is one of these; its name ends with the unit of both numbers:",
        table(("id", "limit"), [(int(limit), limit.name) for limit in LimitId]),
        """
STATE: id = the pump's [Mode](#mode), or the alarm that forbids it. BUSY_DELIVERING: value, limit
= nL given and to be given. GENERATION and SCHEMA: value = yours, limit = the pump's.
DUPLICATE_INTENT: value = seconds since the like dose, limit = seconds after which it is no longer
taken for one.
""",
    )


def log_section() -> str:
    """Return the codes of log records and alarms."""
    rows = [
        (
            int(code),
            code.name,
            "alarm" if code <= _ALARM_MAX else "event",
            *LOG_DETAILS.get(code, ("", "")),
        )
        for code in Code
    ]
    return paragraphs(
        "## 13. Log and alarm codes",
        '<a id="code"></a>' + (codes.Code.__doc__ or "") + " "
        f"1..{_ALARM_MAX} are alarms; an alarm's own record has no details.",
        table(("code", "name", "kind", "a", "b"), rows),
    )
