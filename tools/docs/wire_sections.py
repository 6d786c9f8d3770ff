"""Sections of the protocol page about the wire: frame, COBS, CRC, link."""

import inspect
from typing import Final

from protocol import cobs, framing
from protocol.crc import crc32c
from protocol.framing import BROADCAST, SESSION_MAX_CHANNEL, Flag, Frame, FrameType
from protocol.link import end, initiator, responder
from protocol.messages import MAX_PAYLOAD, Empty
from protocol.operations import BY_NAME, encode_request
from tools.docs import standalone_codec
from tools.docs.markdown import code, hex_bytes, paragraphs, table

TYPES: Final[dict[FrameType, tuple[str, str]]] = {
    FrameType.PING: ("either", "are you there? Any payload"),
    FrameType.PONG: ("either", "answer to PING, with its payload"),
    FrameType.ACK: ("pump", "answer to LRST; no payload"),
    FrameType.NAK: ("either", "a damaged frame came; no payload"),
    FrameType.LRST: ("tool", "the next request may carry any seq; no payload"),
    FrameType.HELLO: ("tool", "open a session: `Hello`"),
    FrameType.HELLO_RSP: ("pump", "answer to HELLO: `HelloResponse`"),
    FrameType.HS1: ("tool", "reserved for the secured session"),
    FrameType.HS2: ("pump", "reserved for the secured session"),
    FrameType.XERR: ("pump", "transport error"),
    FrameType.PAIR: ("tool", "reserved for pairing"),
    FrameType.PAIR_RSP: ("pump", "reserved for pairing"),
    FrameType.REQ: ("tool", "a request of the session"),
    FrameType.RSP: ("pump", "its response"),
    FrameType.EVT: ("pump", "reserved for events"),
    FrameType.BULK: ("pump", "reserved for bulk transfer"),
    FrameType.BULK_ACK: ("tool", "reserved for bulk transfer"),
    FrameType.HAL_CMD: ("-", "reserved for the link to a board"),
    FrameType.HAL_RSP: ("-", "reserved for the link to a board"),
    FrameType.HAL_TIME: ("-", "reserved for the link to a board"),
}
FLAGS: Final[dict[Flag, str]] = {
    Flag.SECURED: "S: payload is secured; not in suite 0, where the pump ignores the frame",
    Flag.MORE_FRAGMENTS: "M: more fragments follow; not in suite 0, as S",
    Flag.EMERGENCY: "E: emergency class; no effect yet",
    Flag.ACK_VALID: "A: `ack` means something",
    Flag.COMPAT_HINT: "C: sender knows a newer version; no effect",
}
REFUSALS: Final = (
    ("length", "E and K together are {0.MIN_BODY}..{0.MAX_BODY} bytes", "yes"),
    ("check_form", "K: bit 7 of each byte set, spare bits of the last one 0", "yes"),
    ("crc", "K is the CRC-32C of E", "yes"),
    ("cobs", "E is COBS", "yes"),
    ("version", "version is {0.FRAME_VERSION}", "no; XERR VERSION"),
    ("type", "type is in the table above", "no"),
    ("flags", "bits 5-7 of the flags are 0", "no"),
    ("length_field", "length field = decoded length - {0.HEADER.size}", "no"),
)
EXAMPLE: Final = Frame(
    FrameType.REQ, Flag.ACK_VALID, 0x0105, 1, 1, encode_request(BY_NAME["STATUS"], 1, Empty())
)
"""The frame that is worked out: STATUS, the first request of a session."""


def frame_section() -> str:
    """Return the frame, byte by byte, with a worked example."""
    return paragraphs(
        "## 3. Frame",
        code("00 | E | K | 00          E = COBS(header | payload)          K = CRC-32C of E"),
        f"""
Every frame stands between two delimiters, 0x00; neighbours may share one. E and K hold no zero,
so a receiver that loses its place finds it again at the next 0x00. Nothing between two delimiters
is not an error. A sender that has been silent for {_ms(end.IDLE_US)} sends one more delimiter
first: it ends whatever noise the other end has taken for the start of a frame.

All integers are little-endian. The header:
""",
        table(
            ("offset", "size", "field", "rule"),
            [
                (0, 1, "version and type", f"bits 7-5 version = {framing.FRAME_VERSION}, 4-0 type"),
                (1, 1, "flags", "see below; bits 5-7 must be 0"),
                (2, 2, "channel", _channels()),
                (4, 1, "seq", "counts this direction's frames, see 6"),
                (5, 1, "ack", "next seq expected from the other end; valid with flag A"),
                (6, 2, "length", f"bytes of payload, 0..{MAX_PAYLOAD}"),
                (framing.HEADER.size, "length", "payload", "by type"),
            ],
        ),
        f"Shortest frame {framing.MIN_IMAGE} bytes, longest {framing.MAX_IMAGE}, with delimiters.",
        table(("type", "number", "sent by", "use"), [(k.name, int(k), *TYPES[k]) for k in TYPES]),
        "Other type numbers are refused.",
        table(
            ("flag", "bit", "meaning"), [(f.name, int(f).bit_length() - 1, FLAGS[f]) for f in FLAGS]
        ),
        "### A frame, worked",
        _worked(),
        "### In Python",
        "Nothing but the standard library; tested against this repository's own codec:",
        code(inspect.getsource(standalone_codec).split("\n", 2)[2], "python"),
    )


def _channels() -> str:
    return f"0 no session, 1..{SESSION_MAX_CHANNEL:#06X} session, {BROADCAST:#06X} all".replace(
        "X", "x"
    )


def _worked() -> str:
    frame = EXAMPLE
    image = framing.encode(frame)
    header = framing.HEADER.pack(
        framing.FRAME_VERSION << 5 | frame.type,
        frame.flags,
        frame.channel,
        frame.seq,
        frame.ack,
        len(frame.payload),
    )
    body, check = image[1 : -1 - framing.CHECK_BYTES], image[-1 - framing.CHECK_BYTES : -1]
    crc = crc32c(body)
    groups = [crc >> shift & 0x7F for shift in (0, 7, 14, 21, 28)]
    rows = [
        ("payload: opcode STATUS, req_id 1 (section 8)", frame.payload),
        (f"header: REQ, flag A, channel {frame.channel:#06x}, seq 1, ack 1", header),
        ("E = COBS(header, payload)", body),
        (f"K: CRC-32C of E = {crc:#010x} = " + ", ".join(f"{g:#04x}" for g in groups), check),
        ("on the wire", image),
    ]
    return table(("what", "bytes"), [(what, f"`{hex_bytes(data)}`") for what, data in rows])


def cobs_section() -> str:
    """Return how E is made."""
    samples = [b"", b"\0", b"\x11\x22\0\x33", b"\x11\0\0\0", b"\x11" * 254, b"\x11" * 255]
    rows = [(_short(data), len(data), _short(cobs.encode(data))) for data in samples]
    return paragraphs(
        "## 4. COBS",
        f"""
Consistent Overhead Byte Stuffing. Cut the data at its zeros. Each part becomes a code byte, its
length + 1, and its bytes; the zero itself is not sent. A part longer than {cobs.FULL} bytes is
sent as blocks of {cobs.FULL} with code 0xff, which stand for no zero, and then the rest. To decode,
copy code - 1 bytes, then add a zero unless the code was 0xff or the data has ended. A code that
runs over the end makes the frame invalid. The cost is one byte for each started {cobs.FULL}.
""",
        table(("data", "bytes", "COBS"), rows),
        "A decoder also takes an empty last block (0x01) after a full one: some encoders write it.",
    )


def _short(data: bytes) -> str:
    text = hex_bytes(data) if len(data) <= 8 else f"{hex_bytes(data[:3])} .. {hex_bytes(data[-3:])}"
    return f"`{text}`" if text else "(nothing)"


def crc_section() -> str:
    """Return the check and what a receiver does, in order."""
    return paragraphs(
        "## 5. Check",
        f"""
CRC-32C (Castagnoli): polynomial 0x1EDC6F41, reflected (0x82F63B78), initial value and final xor
0xFFFFFFFF. The ASCII digits `123456789` give {crc32c(b"123456789"):#010x}.

It covers the bytes of E as they are on the wire, so that one wrong bit on the wire is one wrong bit
for the CRC: over a whole frame every error of up to 5 bits is seen, and every burst of up to 32.

K carries the 32 bits in five bytes: bits 0-6, 7-13, 14-20, 21-27 and 28-31, low first, each with
bit 7 set. K holds no zero and its three spare bits are 0.

A receiver checks in this order and drops the frame at the first thing that is wrong. Each step has
a counter. The last column says whether the sender is asked again (NAK): a frame that fails after
its CRC was sent like that.
""",
        table(
            ("counter", "rule", "NAK"),
            [(f"`{name}`", rule.format(framing), nak) for name, rule, nak in REFUSALS],
        ),
    )


def link_section() -> str:
    """Return sequence, repetition, answers to noise, and the timers."""
    rules = inspect.getdoc(responder) or ""
    return paragraphs(
        "## 6. Link: sequence, repetition",
        """
Stop and wait: the tool has one request in flight, a PING, HELLO or REQ, and repeats its frame byte
for byte until the answer comes. The pump acts on a request once and answers every repetition of it
with the first reply.

- Each direction counts its own `seq`, 8 bits. The tool takes the next one for each new request,
  also after one that failed. A HELLO may carry any.
- **The answer to seq n has flag A, ack = n + 1 and the channel of the request**, and is of the
  type that answers it: PONG, HELLO_RSP, RSP. Anything else is not the answer.
- The pump's answers carry its own seq, which the tool may send back as `ack`. The pump does not
  look at it.
- While no answer comes the tool repeats the request on the timer of the table. After the last send
  the request has failed: **whether the pump acted is not known**. After COMMIT, ask with QUERY.
""",
        table(("timer", "value"), _timers()),
        """
### What the pump does with a valid HELLO or REQ

The first rule that fits:
""",
        rules[rules.index("1. ") :],
        """
A pump that has restarted knows no session: by rule 5 it answers SESSION_GONE.

### NAK, LRST, XERR

Nothing in these frames is proven to come from the other end. All they can do is to have a frame
repeated earlier or later, or to let the sequence begin anew.

- **NAK from the pump** says that damage came; ack = the seq it expects next (flag A; clear before
  the first HELLO). The tool repeats its request at once: once in each run of its timer, and not
  counted as a send.
- **NAK from the tool** says that the answer came damaged; seq = that of the request in flight. The
  pump sends its reply again, if it has one for that seq.
- **LRST** sets rules 7 and 8 aside for one request. The pump answers ACK.
- **XERR** comes from the pump only. Its payload is a u8 code and a u16 detail. This pump sends
  VERSION and BAD; a tool must honour BUSY too. A tool that gives up can say what the last one was.
""",
        table(
            ("XERR", "code", "meaning"),
            [(kind.name, int(kind), text) for kind, text in end.TRANSPORT_ERRORS.items()],
        ),
    )


def _timers() -> list[tuple[str, str]]:
    first = f"max({_ms(initiator.RTO_MIN_US)}, 2 × wire time + {_ms(initiator.RTO_MARGIN_US)})"
    slow = f"{_ms(initiator.RTO_MAX_SLOW_US)} below {initiator.SLOW_BAUD} baud"
    return [
        ("first repetition", f"{first}; wire time of the request and the longest answer so far"),
        ("each further one", f"1.5 × the wait before, at most {_ms(initiator.RTO_MAX_US)}; {slow}"),
        ("sends of one request", f"at most {initiator.MAX_SENDS}"),
        ("BUSY puts a repetition off", f"at most {initiator.BUSY_MAX_MS} ms, once in each run"),
        ("NAK", f"at most one in {_ms(end.NAK_INTERVAL_US)}, either end; repetitions for it too"),
        ("damage worth a NAK", f"{framing.MIN_DAMAGED} bytes or more between two delimiters"),
        ("XERR", f"at most one in {_ms(responder.XERR_INTERVAL_US)}"),
        ("one more delimiter first", f"after {_ms(end.IDLE_US)} without sending"),
        ("unfinished frame dropped", f"{_ms(framing.PARTIAL_US)} after its last byte"),
    ]


def _ms(time_us: int) -> str:
    return f"{time_us // 1000} ms"
