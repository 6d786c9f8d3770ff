"""One emulated pump, the hands around it and the line to it.

The controller is the real one. What is judged by is what a bench can see: the rotor, the fluid and
the answers on the wire. `Line` is a tool of our own, so that a fault of the programmer cannot hide
one of the pump; it repeats its requests over a noisy line as the protocol says.
"""

from typing import Any, Final

from emulator.devices.motor import STROKE
from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from protocol import codec
from protocol.codec import Message
from protocol.codes import Role
from protocol.errors import ErrorCode
from protocol.framing import Frame, FrameType
from protocol.hello import Hello, HelloResponse
from protocol.link import Initiator
from protocol.messages import Empty, Refusal
from protocol.operations import BY_NAME, encode_request, split_response
from tools.emulated import build_pump

START_WALL_S: Final = 852_454_800
"""2027-01-05T09:00:00, a Tuesday."""


class Violated(AssertionError):
    """Something that must hold does not."""


def must(holds: bool, what: str) -> None:
    """Raise Violated unless it holds."""
    if not holds:
        raise Violated(what)


class Refuses(Exception):
    """The pump refused; nothing changed."""

    def __init__(self, code: ErrorCode, detail: Refusal) -> None:
        super().__init__(f"{code.name} {detail}")
        self.code = code


class Bench:
    """A powered pump in virtual time, and its physical truths."""

    def __init__(self, profile: str, fill_pl: int, seed: int, **plant: Any) -> None:
        setup = PlantSetup(fill_pl, **plant)
        self.pump = build_pump(Profile.load(profile), setup, seed, START_WALL_S)
        self.world, self.board, self.config = self.pump.world, self.pump.board, self.pump.config
        self.pump.books.watch()
        self.board.power_on()
        self.drain()

    @property
    def now_us(self) -> int:
        return self.world.now_us

    def run(self, duration_us: int) -> None:
        """Let time pass, and everything due at its end happen."""
        self.world.run_until(self.now_us + duration_us)

    def drain(self) -> None:
        """Let everything happen that is due at this instant."""
        self.run(0)

    def hear(self) -> bytes:
        """Let events of this instant happen until the pump says something, or none is left."""
        while not (data := self.board.link.host_read()):
            if self.world.run_some(self.now_us, 1):
                return self.board.link.host_read()
        return data

    @property
    def moved_pl(self) -> int:
        """What the rotor has swept: the dose, as long as there is fluid in the reservoir."""
        return self.board.motor.position() * self.config.stroke_pl // STROKE

    def conserve(self) -> None:
        """Fluid after every event, and doses: nothing is lost or made."""
        self.pump.books.check()
        must(not (found := self.pump.books.violations), f"conservation: {found}")


class Line:
    """The tool's end of the telemetry."""

    def __init__(self, bench: Bench, nonce: int) -> None:
        self._bench = bench
        self._nonce = nonce
        self._link = Initiator()
        self._channel = 0

    def hang_up(self) -> None:
        """The tool dies: its session and what it waited for are gone."""
        self._link = Initiator()
        self._channel = 0

    def ask(self, name: str, body: Message | None = None) -> Any:
        """Return the response. Raises Refuses, and LinkFailed where none comes."""
        for _ in range(4):
            frame = self._exchange(FrameType.REQ, self._session(), _payload(name, body))
            _, _, code, data = split_response(frame.payload)
            if code is ErrorCode.SESSION_GONE:
                self._channel = 0
            elif code is ErrorCode.BUSY:
                self._bench.drain()
            else:
                break
        if code is not ErrorCode.OK:
            raise Refuses(code, codec.decode(Refusal, data))
        return codec.decode(BY_NAME[name].response, data)

    def send_and_die(self, name: str, body: Message) -> None:
        """Put a request on the line; nobody waits for the answer, and nothing has happened yet."""
        self._link.request(FrameType.REQ, self._session(), _payload(name, body), self._bench.now_us)
        self._bench.board.link.host_write(self._link.outgoing())
        self.hang_up()

    def _session(self) -> int:
        if not self._channel:
            self._nonce += 1
            hello = Hello(1, 1, 0, Role.CLINICIAN, 480, 0, self._nonce)
            frame = self._exchange(FrameType.HELLO, 0, codec.encode(hello))
            self._channel = codec.decode(HelloResponse, frame.payload).channel
        return self._channel

    def _exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        bench, link = self._bench, self._link
        link.request(kind, channel, payload, bench.now_us)
        while True:
            bench.board.link.host_write(link.outgoing())
            frame = link.receive(bench.hear(), bench.now_us)
            if frame is not None:
                return frame
            if link.deadline_us is not None and link.deadline_us > bench.now_us:
                bench.run(link.deadline_us - bench.now_us)
            link.service(bench.now_us)


def _payload(name: str, body: Message | None) -> bytes:
    return encode_request(BY_NAME[name], 1, body or Empty())
