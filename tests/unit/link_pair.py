"""The two ends of a link joined in memory: a small pump that acts, and a line that can be bad."""

import heapq
import random
from dataclasses import dataclass, field, replace

from protocol import codec
from protocol.codes import Role
from protocol.errors import ErrorCode
from protocol.framing import Deframer, Frame, FrameType, encode
from protocol.hello import Hello, HelloResponse
from protocol.link import Initiator, LinkFailed, Responder
from protocol.messages import Empty, Refusal
from protocol.operations import encode_response

HELLO = Hello(1, 1, 0, Role.CLINICIAN, 480, 0, 0)
CHANNEL = 0x0100
GONE = encode_response(0, 0, ErrorCode.SESSION_GONE, Refusal(0, 0, 0))


def hello(nonce: int = 1) -> bytes:
    return codec.encode(replace(HELLO, nonce=nonce))


def granted(channel: int, result: ErrorCode = ErrorCode.OK) -> bytes:
    return codec.encode(
        HelloResponse(result, 1, 0, Role.CLINICIAN, channel, 1, 1, 480, 0, "model", 1, 2)
    )


def reply_to(payload: bytes) -> bytes:
    """Return the reply to a request: it shows which request it belongs to."""
    return encode_response(0, 0, ErrorCode.OK, Empty()) + payload


class SmallPump:
    """A responder and what stands above it: one session, every request acts."""

    def __init__(self, acted: list[bytes] | None = None, first_channel: int = CHANNEL) -> None:
        self.link = Responder()
        self.acted = [] if acted is None else acted
        self.channel: int | None = None
        self._next_channel = first_channel

    def receive(self, data: bytes, now_us: int) -> None:
        for frame in self.link.receive(data, now_us):
            self.serve(frame)

    def serve(self, frame: Frame) -> None:
        if frame.type is FrameType.HELLO:
            self.channel, self._next_channel = self._next_channel, self._next_channel + 1
            self.link.answer(FrameType.HELLO_RSP, 0, granted(self.channel))
        elif frame.channel != self.channel:
            self.link.answer(FrameType.RSP, frame.channel, GONE)
        else:
            self.acted.append(frame.payload)
            self.link.answer(FrameType.RSP, frame.channel, reply_to(frame.payload))


DAMAGED = b"\0" + b"\x85" * 20 + b"\0"
"""A piece long enough for a frame, and none."""


def sent(data: bytes) -> list[Frame]:
    return Deframer().feed(data, 0)


def kinds(data: bytes) -> list[FrameType]:
    return [frame.type for frame in sent(data)]


def request(
    seq: int, payload: bytes, channel: int = CHANNEL, kind: FrameType = FrameType.REQ
) -> bytes:
    return encode(Frame(kind, 0, channel, seq, 0, payload))


def opened() -> SmallPump:
    """Return a pump with a session on CHANNEL; its HELLO had seq 0."""
    pump = SmallPump()
    pump.receive(request(0, hello(), 0, FrameType.HELLO), 0)
    assert kinds(pump.link.outgoing()) == [FrameType.HELLO_RSP]
    return pump


@dataclass
class Badness:
    """What the line does, as probabilities per write (ber: per bit)."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    ber: float = 0.0
    delay_us: int = 2_000


@dataclass
class BadLine:
    """A tool, a line and a small pump, in simulated time."""

    badness: Badness
    seed: int
    reboot: float = 0.0
    """Probability that the pump restarts before a delivery."""
    pump: SmallPump = field(default_factory=SmallPump)
    tool: Initiator = field(default_factory=Initiator)

    def __post_init__(self) -> None:
        self.now_us = 0
        self.reboots = 0
        self._rng = random.Random(self.seed)
        self._queue: list[tuple[int, int, bool, bytes]] = []
        self._order = 0

    def exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame | None:
        """Return the answer, or None after the link has failed."""
        self.tool.request(kind, channel, payload, self.now_us)
        try:
            while True:
                self._write(True, self.tool.outgoing())
                self._write(False, self.pump.link.outgoing())
                answer = self._step()
                if answer is not None:
                    return answer
        except LinkFailed:
            return None

    def open(self, nonce: int) -> int | None:
        """Return the channel of a new session; None when the link failed."""
        answer = self.exchange(FrameType.HELLO, 0, hello(nonce))
        return None if answer is None else codec.decode(HelloResponse, answer.payload).channel

    def _step(self) -> Frame | None:
        """Let the next thing happen: bytes arrive, or the tool's timer runs out."""
        deadline_us = self.tool.deadline_us
        assert deadline_us is not None
        if not self._queue or self._queue[0][0] > deadline_us:
            self.now_us = deadline_us
            self.tool.service(deadline_us)
            return None
        self.now_us, _, to_pump, data = heapq.heappop(self._queue)
        if not to_pump:
            return self.tool.receive(data, self.now_us)
        if self._rng.random() < self.reboot:
            self.reboots += 1
            self.pump = SmallPump(self.pump.acted, self._rng.randrange(1, 0xFF00))
        self.pump.receive(data, self.now_us)
        return None

    def _write(self, to_pump: bool, data: bytes) -> None:
        bad, rng = self.badness, self._rng
        if not data or rng.random() < bad.loss:
            return
        for _ in range(1 + (rng.random() < bad.duplicate)):
            late_us = rng.randrange(400_000) if rng.random() < bad.reorder else 0
            self._order += 1
            at_us = self.now_us + bad.delay_us + late_us
            heapq.heappush(self._queue, (at_us, self._order, to_pump, self._hit(data)))

    def _hit(self, data: bytes) -> bytes:
        if not self.badness.ber:
            return data
        mask = 0
        for bit in range(8 * len(data)):
            mask |= (self._rng.random() < self.badness.ber) << bit
        return (int.from_bytes(data, "little") ^ mask).to_bytes(len(data), "little")
