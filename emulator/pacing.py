"""How fast pump time may go, given host time: the chosen speed, held back for a client.

Pure logic; host time (microseconds, any monotonic origin) is an argument. The world itself has no
speed. The server asks `Pacer` how far it may go and runs it that far, a few events at a time.

Fast time never races past a client. `ClientWatch` sees the telemetry bytes of both directions and
says how far time is held back, the strictest of:

- STILL      a reply stands in the port's output buffer and has not been taken
- REAL_TIME  a frame has begun (dropped 2 s of host time after its last byte), a request waits for
             its reply, or a session is open: at most 1x
- FREE       none of these: the chosen speed

A request is served without time passing, as long as its reply needs none: the server always runs
the events of the present instant, at every speed, even in `step` and `pause`. A reply that does
need pump time (a paced link, a slow flash) comes at real time, so a client's own time-outs mean
what they would mean on a real pump.
"""

import enum
from typing import Final

from protocol import codec
from protocol.errors import ErrorCode, RemoteError
from protocol.framing import Deframer, Frame, FrameType
from protocol.hello import HelloResponse
from protocol.operations import BY_NAME, split_response

STEP: Final = 0
"""Speed at which time moves only by `advance`."""
REAL_TIME_SPEED: Final = 1
MAX: Final = 10**12
"""As fast as possible: a host microsecond allows 11 days, more than any machine can use."""
SPEED_LIMIT: Final = 10**9
"""Highest factor that can be named; past it `max` is meant."""

CATCH_UP_US: Final = 100_000
"""Lag that is made up. Beyond it (a stopped process, a speed out of reach) lost time stays lost:
a longer rush would outrun a client."""
PENDING_LIMIT_US: Final = 2_000_000
"""Longest a request, or a reply that nobody takes, holds time back: `response to REQ`, worst."""
SESSION_IDLE_US: Final = 180_000_000
"""The longest idle limit of a session, in pump time: the pump has ended it by then."""

_CLOSE: Final = BY_NAME["CLOSE"].opcode
_REQUESTS: Final = frozenset({FrameType.PING, FrameType.HELLO, FrameType.REQ})
_UNASKED: Final = frozenset({FrameType.EVT})
_ACTIVITY: Final = frozenset({FrameType.HELLO, FrameType.HELLO_RSP, FrameType.REQ, FrameType.RSP})
"""What counts for the idle limit; PING does not."""


def parse_speed(text: str) -> int:
    """Return the speed that `text` names: step, max or a whole factor. Raises ValueError."""
    named = {"step": STEP, "max": MAX}.get(text)
    if named is not None:
        return named
    if text.isascii() and text.isdigit() and 1 <= int(text) <= SPEED_LIMIT:
        return int(text)
    raise ValueError(f"speed {text!r}: give 1, a whole factor up to {SPEED_LIMIT}, max or step")


def speed_name(speed: int) -> str:
    """Return the text that `parse_speed` takes."""
    return {STEP: "step", MAX: "max"}.get(speed, str(speed))


class Hold(enum.IntEnum):
    """How far time is held back; the value is the highest speed."""

    STILL = STEP
    REAL_TIME = REAL_TIME_SPEED
    FREE = MAX


class Pacer:
    """Turns host time into the instant the world may reach.

    Within one rate the world follows a straight line from an anchor (host time, pump time), so
    nothing is rounded away. The anchor moves when the rate changes, after a jump of the world
    (`advance`), and when the world lags more than `CATCH_UP_US`. Time that the loop slept because
    nothing was due is no lag: `rest` says until when it meant to.
    """

    def __init__(self, speed: int, host_us: int, world_us: int) -> None:
        self.speed = speed
        """The chosen factor, `STEP` or `MAX`."""
        self.paused = False
        self._rate = STEP
        self._host_us = host_us
        self._world_us = world_us
        self._rest_until_us = host_us

    def rest(self, until_us: int) -> None:
        """Note that the loop does not come round before this host time, unless woken."""
        self._rest_until_us = until_us

    def limit_us(self, hold: Hold, host_us: int, world_us: int) -> int:
        """Return the instant (>= `world_us`) the world, now at `world_us`, may be run to."""
        rate = STEP if self.paused else min(self.speed, hold)
        if rate != self._rate:
            self._rate = rate
            self._anchor(host_us, world_us)
        limit_us = self._world_us + (host_us - self._host_us) * rate
        if limit_us < world_us:
            self._anchor(host_us, world_us)
            return world_us
        rested_us = self._world_us + (self._rest_until_us - self._host_us) * rate
        on_time_us = max(world_us, rested_us)
        if limit_us - on_time_us > CATCH_UP_US * rate:
            self._anchor(host_us - CATCH_UP_US, on_time_us)
            return on_time_us + CATCH_UP_US * rate
        return limit_us

    def host_us(self, world_us: int) -> int | None:
        """Return when the world may reach `world_us` at the present rate; None: never."""
        if self._rate == STEP:
            return None
        return self._host_us - (self._world_us - world_us) // self._rate

    def _anchor(self, host_us: int, world_us: int) -> None:
        self._host_us = host_us
        self._world_us = world_us


class ClientWatch:
    """Watches the telemetry bytes both ways and says how far time must be held back."""

    def __init__(self) -> None:
        self._to_pump = Deframer()
        self._to_client = Deframer()
        self._pending_since_us: int | None = None
        self._undrained_since_us: int | None = None
        self._deaf = False
        self._session: int | None = None
        self._heard_world_us = 0

    @property
    def pending(self) -> bool:
        """True from a whole valid request until its reply is drained."""
        return self._pending_since_us is not None or self._undrained_since_us is not None

    @property
    def session_open(self) -> bool:
        """True while the pump may hold a session open."""
        return self._session is not None

    def to_pump(self, data: bytes, host_us: int, world_us: int) -> None:
        """Note bytes from the client, before the pump gets them."""
        for frame in self._to_pump.feed(data, host_us):
            if frame.type in _REQUESTS:
                self._pending_since_us = host_us
            self._heard(frame, world_us)

    def to_client(self, data: bytes, host_us: int, world_us: int) -> None:
        """Note bytes from the pump, before the port gets them."""
        for frame in self._to_client.feed(data, host_us):
            if frame.type not in _UNASKED and self._pending_since_us is not None:
                self._pending_since_us = None
                if not self._deaf:
                    self._undrained_since_us = host_us
            self._heard(frame, world_us)
            self._follow_session(frame)

    def drained(self) -> None:
        """Note that the port has taken all that the pump sent."""
        self._undrained_since_us = None
        self._deaf = False

    def pump_restarted(self) -> None:
        """Note a reset or power cut: sessions and pending requests are gone."""
        self._pending_since_us = None
        self._session = None

    def hold(self, host_us: int, world_us: int) -> Hold:
        """Return how far time is held back now."""
        self._expire(host_us, world_us)
        if self._undrained_since_us is not None:
            return Hold.STILL
        if self._to_pump.mid_frame or self._pending_since_us is not None or self.session_open:
            return Hold.REAL_TIME
        return Hold.FREE

    def _expire(self, host_us: int, world_us: int) -> None:
        self._to_pump.expire(host_us)
        if _older(self._pending_since_us, host_us):
            self._pending_since_us = None
        if _older(self._undrained_since_us, host_us):
            self._undrained_since_us = None
            self._deaf = True  # one that asks and never reads must not stop time for good
        if world_us - self._heard_world_us > SESSION_IDLE_US:
            self._session = None

    def _heard(self, frame: Frame, world_us: int) -> None:
        if frame.type in _ACTIVITY:
            self._heard_world_us = world_us

    def _follow_session(self, frame: Frame) -> None:
        try:
            if frame.type == FrameType.HELLO_RSP:
                answer = codec.decode(HelloResponse, frame.payload)
                if answer.result == ErrorCode.OK:
                    self._session = answer.channel
            elif frame.type == FrameType.RSP and frame.channel == self._session:
                opcode, _, result, _ = split_response(frame.payload)
                if opcode == _CLOSE or result == ErrorCode.SESSION_GONE:
                    self._session = None
        except RemoteError:
            return  # not a message of ours: it opens and ends nothing


def _older(since_us: int | None, host_us: int) -> bool:
    return since_us is not None and host_us - since_us > PENDING_LIMIT_US
