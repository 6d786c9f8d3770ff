"""`docs/protocol.md`: the public specification of the wire, enough to write a tool against."""

import struct
from typing import Final

from firmware.journal import REMEMBERED
from firmware.telemetry import IDLE_DEFAULT_US, IDLE_US
from firmware.transactions import TOKEN_LIFE_US
from protocol import codec
from protocol.codec import BLOB, LIST, LONG, STRUCT, TEXT, Message
from protocol.codes import (
    BolusKind,
    Code,
    Mode,
    ProgramKind,
    Role,
    StopReason,
    TxnOp,
)
from protocol.errors import ErrorCode
from protocol.framing import Flag, Frame, FrameType, encode
from protocol.hello import Hello, HelloResponse
from protocol.messages import FILL_NOT_TOLD, MAX_PAYLOAD, AlarmEntry, Empty, Status
from protocol.operations import (
    BY_NAME,
    PARAMETERS,
    PROTOCOL_VERSION,
    RESPONSE_HEADER,
    SCHEMA_ID,
    encode_request,
    encode_response,
)
from tools.docs import message_sections as messages
from tools.docs import wire_sections as wire
from tools.docs.markdown import code, hex_bytes, hex_lines, paragraphs, table

_CHANNEL: Final = 0x2A51
_REQ_ID: Final = 1
_NONCE: Final = 0x1122334455667788
_STATUS: Final = Status(
    boot_id=2,
    uptime_us=86_400_000_000,
    wall_s=820_540_800,
    generation=3,
    mode=Mode.BASAL,
    program=ProgramKind.SIMPLE_CONTINUOUS,
    stop_reason=StopReason.NONE,
    bolus=BolusKind.NONE,
    bolus_given_nl=0,
    bolus_total_nl=0,
    rate_numerator_pl=150_000_000,
    rate_denominator_h=24,
    computed_nl=1_900_000,
    delivered_nl=38_100_000,
    uncertain_nl=0,
    fill_nl=40_000_000,
    fill_wall_s=798_595_200,
    battery_mv=2_980,
    eri=0,
    eri_wall_s=993_600_000,
    eos_wall_s=1_001_376_000,
    refill_due_wall_s=820_400_000,
    low_reservoir_wall_s=820_400_000,
    alarms=(AlarmEntry(Code.LOW_RESERVOIR, 1, 820_400_000),),
    last_refusal=ErrorCode.OK,
    log_first=0,
    log_next=41,
    last_txn=0x0000000C_8F03B2A6,
)


def render() -> str:
    """Return the page."""
    return (
        paragraphs(
            _overview(),
            wire.frame_section(),
            wire.cobs_section(),
            wire.crc_section(),
            wire.link_section(),
            _session(),
            messages.request_section(),
            messages.messages_section(),
            _transactions(),
            messages.enums_section(),
            messages.errors_section(),
            messages.log_section(),
            _example(),
            _limits(),
        )
        + "\n"
    )


def _overview() -> str:
    return paragraphs(
        f"# Telemetry protocol, version {PROTOCOL_VERSION} (draft)",
        """
> Made by `itpump docs` from the tables in `protocol/`; edit those. **Draft:** until the secured
> session is there, anything may change without a new version number.

How a programmer, or any other tool, talks to the pump. Every byte is said here; the golden vectors
in `tests/vectors/wire.json` say the same as data.
""",
        "## 1. In short",
        f"""
1. Open the port and send [HELLO](#7-session) in a [frame](#3-frame); repeat it until HELLO_RSP
   comes. It names the *channel* of your session.
2. Send a REQ on that channel with the next seq, for instance STATUS; repeat the frame, byte for
   byte, until the RSP to it comes. The pump acts once, however often it gets it.
3. Whatever changes therapy takes two requests: PREPARE, which returns what the pump would do, and
   COMMIT, which does it. [Transactions](#10-transactions) says what to do when no answer comes.
4. Send CLOSE.

[Section 14](#14-example) shows this as bytes.

## 2. Port

A serial line, 8N1, 115,200 baud unless agreed otherwise (9,600..1,000,000), without flow control
and modem lines; a PTY, where the speed has no effect; or a TCP connection that carries the same
bytes. Bytes come in any pieces: one read is not one frame. Write a frame in one call; over TCP,
set TCP_NODELAY. A frame's payload is at most {MAX_PAYLOAD} bytes.
""",
    )


def _session() -> str:
    idle = ", ".join(f"{role.name} {limit // 1_000_000} s" for role, limit in IDLE_US.items())
    return paragraphs(
        "## 7. Session",
        f"""
HELLO, on channel 0, asks for a role; HELLO_RSP grants or refuses it. This version has suite 0
only: everything is in clear and the role asked for is the role granted. It proves nothing and
keeps no secret; the secured suites come with a later version. NONE and EMERGENCY are refused with
UNSUPPORTED.

- Send the range of protocol versions you speak; this pump speaks {PROTOCOL_VERSION}. It answers
  TOO_OLD or TOO_NEW when the ranges do not meet. A HELLO it cannot read is not answered.
- `nonce` is random and new for each HELLO: one that repeats the last HELLO's bytes is taken for its
  repetition. Check that HELLO_RSP returns it.
- With result OK, `channel` is the session's: every REQ goes there, with the seq after the HELLO's.
- There is one session. Another HELLO ends it, as do CLOSE, a restart of the pump, and silence:
  {idle}, other roles {IDLE_DEFAULT_US // 1_000_000} s without a REQ. PING is no activity.
- The end of a session changes nothing of the delivery.
- A REQ on a channel that is no session's is answered SESSION_GONE: say HELLO again and, if a COMMIT
  was on its way, QUERY.
""",
    )


def _transactions() -> str:
    life = TOKEN_LIFE_US // 1_000_000
    return paragraphs(
        "## 10. Transactions",
        f"""
Everything that doses or changes the prescription is done once, or not at all: over lost answers,
restarts of the tool, and restarts of the pump.

1. **Number it.** Take a `txn` (u64, not 0) never used before with this pump: in the high half a
   counter that rises and is saved, in the low half random bits. **Save it with its parameters, on
   disk, before the first send.**
2. **PREPARE** with the op, its parameters, `schema_id` and the `generation` of the status your
   view is based on. The pump checks, changes nothing, and answers with a Preview in its own
   values: show that to the human, not your own. `token` and `hash` are opaque. The token is good
   for {life} s; it is in RAM only, one at a time. PREPARE may be repeated under the same txn for a
   fresh token: do that when the human has confirmed, and go back to review if `hash` is another.
3. **COMMIT** with txn, token and hash. The pump checks again, makes one record durable, then acts
   and answers with a TxnResult.
4. **No answer to COMMIT?** It may have been done. Repeat the *same* COMMIT, up to 3 times, in a new
   session if need be; then QUERY. Never make a new txn for the same wish before QUERY has answered
   UNKNOWN.
5. **After a restart of the tool** QUERY every saved txn that is still open. UNKNOWN: it is not
   among the last {REMEMBERED} done and nothing is prepared under it, so no COMMIT of it can act.
6. **ABORT** makes the pump forget what was prepared. What is committed stays.

PREPARE or COMMIT of a txn that the pump has already committed is answered with how far it is, and
does nothing. The pump remembers the last {REMEMBERED} transactions over any restart. A bolus that
a restart cuts off is ENDED_EARLY and never goes on by itself.

COMMIT is refused with EXPIRED when nothing is prepared under its txn, or no longer: after a QUERY
that says UNKNOWN, prepare again under the same txn. HASH: token or hash are not the Preview's.
NVM_FAIL: the record could not be written and nothing was done.

A bolus equal to one begun less than 10 minutes ago is refused with DUPLICATE_INTENT unless `again`
is 1: it is what a human enters again after a tool has crashed. The guard outlives every reset of
the pump, and time without power does not count. STOP is no transaction: it can only reduce
delivery, it acts on the first frame, and doing it again is harmless.
""",
        table(
            ("op", "number", "parameters"),
            [(TxnOp(op).name, int(op), messages.body(kind)) for op, kind in PARAMETERS.items()],
        ),
        f"`fill_nl` = {FILL_NOT_TOLD:#x} in PROGRAM: the reservoir's volume stays as computed.",
    )


# --- example ------------------------------------------------------------------------------------


def _example() -> str:
    hello = Hello(1, 1, 0, Role.CLINICIAN, MAX_PAYLOAD, 0, _NONCE)
    granted = HelloResponse(
        ErrorCode.OK,
        PROTOCOL_VERSION,
        0,
        Role.CLINICIAN,
        _CHANNEL,
        _STATUS.boot_id,
        1,
        MAX_PAYLOAD,
        SCHEMA_ID,
        "rotor-40",
        _NONCE,
        0x99AABBCCDDEEFF00,
    )
    status = BY_NAME["STATUS"]
    asked = encode_request(status, _REQ_ID, Empty())
    answered = encode_response(status.opcode, _REQ_ID, ErrorCode.OK, _STATUS)
    frames = [
        ("tool: HELLO", Frame(FrameType.HELLO, 0, 0, 0, 0, codec.encode(hello))),
        (
            "pump: HELLO_RSP",
            Frame(FrameType.HELLO_RSP, Flag.ACK_VALID, 0, 0, 1, codec.encode(granted)),
        ),
        ("tool: STATUS", Frame(FrameType.REQ, Flag.ACK_VALID, _CHANNEL, 1, 1, asked)),
        ("pump: status", Frame(FrameType.RSP, Flag.ACK_VALID, _CHANNEL, 1, 2, answered)),
    ]
    lines = [f"{name}\n{hex_lines(encode(frame))}" for name, frame in frames]
    return paragraphs(
        "## 14. Example",
        "A session is opened and the status read. Each block is one frame, delimiters and all:",
        code("\n\n".join(lines)),
        "The payload of the last one, taken apart:",
        _dissected(answered),
    )


def _dissected(payload: bytes) -> str:
    """Return the rows of a RSP payload that holds `_STATUS`."""
    rows = []
    at = 0
    for name, value, data in [*_response_header(), *_parts(_STATUS)]:
        assert payload[at : at + len(data)] == data
        rows.append((at, f"`{hex_bytes(data)}`", name, value))
        at += len(data)
    return table(("offset", "bytes", "field", "value"), rows)


def _response_header() -> list[tuple[str, str, bytes]]:
    opcode = BY_NAME["STATUS"].opcode
    data = RESPONSE_HEADER.pack(opcode, _REQ_ID, ErrorCode.OK)
    return [
        ("opcode", "STATUS", data[:2]),
        ("req_id", str(_REQ_ID), data[2:4]),
        ("result", "OK", data[4:]),
    ]


def _parts(message: Message, prefix: str = "") -> list[tuple[str, str, bytes]]:
    """Return (name, value, bytes) of each field, parts of parts too."""
    parts: list[tuple[str, str, bytes]] = []
    for name, spec in codec.fields(type(message)):
        value = getattr(message, name)
        if spec.kind == STRUCT:
            parts += _parts(value, f"{prefix}{name}.")
        elif spec.kind == LIST:
            parts.append((f"{prefix}{name}", f"{len(value)} items", bytes([len(value)])))
            for index, item in enumerate(value):
                parts += _parts(item, f"{prefix}{name}[{index}].")
        elif spec.kind in (TEXT, BLOB, LONG):
            data = value.encode() if spec.kind == TEXT else value
            length = len(data).to_bytes(2 if spec.kind == LONG else 1, "little")
            parts.append((f"{prefix}{name}", repr(value), length + data))
        else:
            size = struct.calcsize("<" + spec.kind)
            shown = value.name if spec.enum else f"{value:,} {spec.unit}".strip()
            parts.append((f"{prefix}{name}", shown, int(value).to_bytes(size, "little")))
    return parts


def _limits() -> str:
    return paragraphs(
        "## 15. What is not here yet, and what will not change",
        """
Not yet: the secured session (suite 1), pairing, events, bulk transfer, fragments, more operations.
Their numbers are reserved above.

Once version 1 is no draft any more: the frame (section 3), its check and XERR VERSION stay as
they are in every version; numbers of types, opcodes, enums and error codes are never given a
second meaning; new ones are added. A tool ignores what it does not know in a capability bit or an
XERR and refuses what it does not know in a field.
""",
    )
