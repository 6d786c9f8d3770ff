"""A pump in virtual time and a minimal tool of our own beside it, for tests of the controller.

It speaks the wire directly, independent of `tools.programmer`, so a fault of that client cannot
hide one of the pump. Judge by `truth_*`: the emulator's physics, never the pump's counters.
"""

from typing import Any

from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from protocol import codec
from protocol.codec import Message
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    EmergencyAction,
    ProgramKind,
    RateBasis,
    RatePer,
    Role,
    TxnOp,
)
from protocol.errors import ErrorCode
from protocol.framing import Frame, FrameType
from protocol.hello import Hello, HelloResponse
from protocol.link import Initiator
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    ClearAlarmParameters,
    Commit,
    Drug,
    Empty,
    LogRecord,
    Prepare,
    Preview,
    ProgramParameters,
    Rate,
    RefillParameters,
    Refusal,
    Status,
    Therapy,
    TxnRef,
    TxnResult,
)
from protocol.operations import BY_NAME, SCHEMA_ID, encode_request, split_response
from tools.emulated import build_pump

START_WALL_S = 852_454_800
"""2027-01-05T09:00:00, a Tuesday."""
MINUTE_US = 60_000_000
STROKE_NL = 250
BACLOFEN = Drug("baclofen", 2_000_000_000)
DRUG = Drug("test drug", 2_000_000_000)
"""As concentrated, but not in the drug table: only the pump's own limits hold for it."""
HUNDRED_FIFTY_UL_DAY = Rate(RateBasis.MASS_PG, RatePer.DAY, 300_000_000)
"""300 µg/day of 2000 µg/mL: 0.150 mL/day, worked case 1."""


def therapy(
    rate: Rate = HUNDRED_FIFTY_UL_DAY,
    program: ProgramKind = ProgramKind.SIMPLE_CONTINUOUS,
    low_nl: int = 2_000_000,
    basal: BolusBasal = BolusBasal.CONTINUE,
) -> Therapy:
    """The common prescription of the worked cases, of a drug without limits of its own."""
    if program is not ProgramKind.SIMPLE_CONTINUOUS:
        rate = Rate(RateBasis.VOLUME_PL, RatePer.DAY, 0)
    return Therapy(
        (DRUG,), program, rate, low_nl, 0, 815_000, 2_200_000, basal, EmergencyAction.STOP, 0
    )


def volume_per_day(volume_nl: int) -> Rate:
    """A rate given as volume."""
    return Rate(RateBasis.VOLUME_PL, RatePer.DAY, volume_nl * 1000)


class Refusals(Exception):
    """The pump refused."""

    def __init__(self, code: ErrorCode, refusal: Refusal) -> None:
        super().__init__(f"{code.name} {refusal}")
        self.code = code
        self.refusal = refusal


class Nurse:
    """One pump and somebody beside it."""

    def __init__(
        self, profile: str = "rotor-40", fill_nl: int = 40_000_000, seed: int = 1, **plant: Any
    ) -> None:
        implanted = plant.pop("implanted_wall_s", None)
        setup = PlantSetup(fill_pl=fill_nl * 1000, **plant)
        self.pump = build_pump(
            Profile.load(profile), setup, seed, START_WALL_S, implanted_wall_s=implanted
        )
        self.world = self.pump.world
        self.board = self.pump.board
        self.link = Initiator()
        self.channel = 0
        self._txn = 0
        self._nonce = 0
        self.pump.books.watch()
        self.board.power_on()
        self.run(0)

    # --- time and truth ---

    def run(self, duration_us: int) -> None:
        self.world.run_until(self.world.now_us + duration_us)
        assert self.pump.books.violations == []

    def run_an_event(self) -> None:
        """Let time pass until the next thing happens: between two events nothing does."""
        at_us = self.world.next_event_us()
        assert at_us is not None, "nothing will ever happen again"
        self.run(at_us - self.world.now_us)

    @property
    def truth_delivered_nl(self) -> int:
        return self.board.plant.delivered_pl // 1000

    @property
    def truth_reservoir_nl(self) -> int:
        return self.board.plant.reservoir_pl // 1000

    @property
    def status(self) -> Status:
        """What a status reply would say, without asking."""
        return self.pump.firmware.status()

    @property
    def log(self) -> list[LogRecord]:
        return list(self.pump.firmware.log_records(0, 1 << 20))

    @property
    def codes(self) -> list[Code]:
        return [record.code for record in self.log]

    @property
    def alarms(self) -> dict[Code, bool]:
        """Standing alarms and whether each condition holds."""
        return {entry.code: bool(entry.active) for entry in self.status.alarms}

    # --- the wire ---

    def exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        """Send one frame and return its answer, which takes no simulated time."""
        self.link.request(kind, channel, payload, self.world.now_us)
        self.board.link.host_write(self.link.outgoing())
        self.run(0)
        frame = self.link.receive(self.board.link.host_read(), self.world.now_us)
        assert frame is not None, "the pump did not answer"
        return frame

    def hello(self, role: Role = Role.CLINICIAN, version: int = 1) -> HelloResponse:
        self._nonce += 1
        hello = Hello(version, version, 0, role, 480, 0, self._nonce)
        frame = self.exchange(FrameType.HELLO, 0, codec.encode(hello))
        response = codec.decode(HelloResponse, frame.payload)
        self.channel = response.channel
        return response

    def ask(self, name: str, body: Message | None = None) -> Any:
        """Send a request; return its response. Opens a session where none is."""
        if not self.channel:
            self.hello()
        operation = BY_NAME[name]
        payload = encode_request(operation, 1, body or Empty())
        frame = self.exchange(FrameType.REQ, self.channel, payload)
        _, _, code, data = split_response(frame.payload)
        if code is ErrorCode.SESSION_GONE:
            self.channel = 0
            return self.ask(name, body)
        if code is not ErrorCode.OK:
            raise Refusals(code, codec.decode(Refusal, data))
        return codec.decode(operation.response, data)

    def send(self, name: str, body: Message) -> None:
        """Put a request on the line and let nothing happen yet. The answer is given up."""
        payload = encode_request(BY_NAME[name], 1, body)
        self.link.request(FrameType.REQ, self.channel, payload, self.world.now_us)
        self.board.link.host_write(self.link.outgoing())
        self.link = Initiator()

    # --- transactions ---

    def prepare(self, op: TxnOp, parameters: Message, **over: Any) -> Preview:
        self._txn += 1
        request = {
            "txn": self._txn,
            "op": op,
            "schema_id": SCHEMA_ID,
            "generation": self.status.generation,
            "parameters": codec.encode(parameters),
        }
        preview: Preview = self.ask("PREPARE", Prepare(**{**request, **over}))
        return preview

    def commit(self, preview: Preview) -> TxnResult:
        result: TxnResult = self.ask("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        return result

    def do(self, op: TxnOp, parameters: Message) -> TxnResult:
        return self.commit(self.prepare(op, parameters))

    def program(self, wanted: Therapy | None = None, fill_nl: int = FILL_NOT_TOLD) -> TxnResult:
        return self.do(TxnOp.PROGRAM, ProgramParameters(wanted or therapy(), fill_nl))

    def bolus(self, volume_nl: int, duration_us: int = 0, again: bool = False) -> TxnResult:
        return self.do(TxnOp.BOLUS, bolus(volume_nl, duration_us, again))

    def resume(self) -> TxnResult:
        return self.do(TxnOp.RESUME, Empty())

    def stop(self) -> Status:
        status: Status = self.ask("STOP")
        return status

    def refill(self, volume_nl: int) -> TxnResult:
        """Needle and programmer together: the plant is filled, the pump is told."""
        self.board.plant.refill(volume_nl * 1000, ())
        return self.do(TxnOp.REFILL, RefillParameters(volume_nl))

    def clear(self, code: Code) -> TxnResult:
        return self.do(TxnOp.CLEAR_ALARM, ClearAlarmParameters(code))

    def query(self, txn: int) -> TxnResult:
        result: TxnResult = self.ask("QUERY", TxnRef(txn))
        return result


def bolus(volume_nl: int, duration_us: int = 0, again: bool = False) -> BolusParameters:
    """Parameters of a single bolus given as volume."""
    return BolusParameters(
        BolusKind.SINGLE, RateBasis.VOLUME_PL, volume_nl * 1000, duration_us, int(again)
    )
