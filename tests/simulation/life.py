"""One life of a pump: what somebody does to it, and the check after each deed."""

from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from hal.interfaces import ResetCause
from protocol import codec
from protocol.codec import Message
from protocol.codes import BolusBasal, Code, StopReason, TxnOp, TxnState
from protocol.link import LinkFailed
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    ClearAlarmParameters,
    Commit,
    LogRead,
    LogRecord,
    Prepare,
    ProgramParameters,
    RefillParameters,
    SetClockParameters,
    Status,
    TxnRef,
    TxnResult,
)
from protocol.operations import SCHEMA_ID

from .oracle import Oracle
from .wishes import Dose, bolus_flow, bolus_strokes
from .world import Bench, Line, must

DONE_AS: Final = {
    TxnOp.PROGRAM: Code.PROGRAM_COMMITTED,
    TxnOp.BOLUS: Code.BOLUS_STARTED,
    TxnOp.RESUME: Code.RESUMED,
    TxnOp.REFILL: Code.REFILLED,
    TxnOp.CLEAR_ALARM: Code.ALARM_CLEARED,
    TxnOp.SET_CLOCK: Code.CLOCK_SET,
}
"""The log record that says when a transaction was done."""
_COMMITTED: Final = (TxnState.DELIVERING, TxnState.DONE, TxnState.ENDED_EARLY)
_SETTLED: Final = (TxnState.DONE, TxnState.ENDED_EARLY)
REMEMBERED: Final = 64
"""The pump may forget a transaction after so many more."""
REPEAT_GUARD_US: Final = 600_000_000
"""A like bolus so soon must be said to be meant."""
_SETTLE_US: Final = 2_000_000
"""A bolus that was cut short is settled when the stroke under way has ended."""


class Wish(NamedTuple):
    """A transaction whose COMMIT was sent."""

    op: TxnOp
    parameters: Message
    commit: Commit
    sent_us: int
    moved_pl: int
    boots: int


class Life:
    """A pump, the tool beside it, and the oracle that judges both."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        profile = self.random.choice(("rotor-20", "rotor-40"))
        fill_pl = self.random.choice((200_000, 2_100_000, 20_000_000)) * 1000
        self.bench = Bench(profile, fill_pl, seed)
        self.line = Line(self.bench, self.random.getrandbits(48))
        self.oracle = Oracle(self.bench)
        self.deeds: list[str] = []
        """What was done, for people."""
        self.wishes: list[Wish] = []
        """Every COMMIT ever sent."""
        self.done: list[int] = []
        """Transactions that were committed, in order."""
        self.boluses: list[tuple[BolusParameters, int, int]] = []
        """Each that began: as asked for, its strokes, when."""
        self.boots = 1
        self.log: list[LogRecord] = []
        self._results: dict[int, TxnResult] = {}
        self._txn = 0

    def note(self, what: str) -> None:
        """Write down what is done now."""
        self.deeds.append(f"{self.bench.now_us:>16} us  {what}")

    # --- transactions ---------------------------------------------------------------------------

    def status(self) -> Status:
        """Read the status on the wire."""
        status: Status = self.line.ask("STATUS")
        return status

    def prepare(self, op: TxnOp, parameters: Message) -> Commit:
        """Stage a wish. Raises Refuses."""
        self._txn += 1
        generation = self.status().generation
        encoded = codec.encode(parameters)
        request = Prepare(self._txn, op, SCHEMA_ID, generation, encoded)
        preview = self.line.ask("PREPARE", request)
        must(preview.parameters == encoded, "the preview is of something else")
        return Commit(self._txn, preview.token, preview.hash)

    def wish(self, op: TxnOp, parameters: Message, commit: Commit) -> Wish:
        """The COMMIT is about to be sent."""
        self.oracle.account()
        bench = self.bench
        wish = Wish(op, parameters, commit, bench.now_us, bench.moved_pl, self.boots)
        self.wishes.append(wish)
        return wish

    def transact(self, op: TxnOp, parameters: Message) -> None:
        """Prepare and commit. Raises Refuses."""
        wish = self.wish(op, parameters, self.prepare(op, parameters))
        try:
            self.line.ask("COMMIT", wish.commit)
        except LinkFailed:
            self.note("  no answer")
        self.settle(wish)

    def settle(self, wish: Wish) -> bool:
        """Ask how far it is, on a clean line; take it over if it was done. True if so."""
        self.bench.board.faults.clear("link.noise")
        result: TxnResult = self.line.ask("QUERY", TxnRef(wish.commit.txn))
        if result.state not in _COMMITTED:
            must(result.state in (TxnState.UNKNOWN, TxnState.PREPARED), f"{result}")
            return False
        if wish.commit.txn in self.done:
            return True
        self.done.append(wish.commit.txn)
        if self.boots == wish.boots:
            at_us = self._done_at(wish)
            self.oracle.account(until_us=at_us)
            self._take_over(wish, at_us)
        elif wish.op is not TxnOp.BOLUS:
            self._take_over(wish, self.bench.now_us)
        return True

    def _done_at(self, wish: Wish) -> int:
        """When the log says that it was done."""
        boot_us = self.bench.board.clock.boot_us
        self.read_log()
        code = DONE_AS[wish.op]
        boot = self.status().boot_id
        when = [boot_us + r.tick_us for r in self.log if (r.boot_id, r.code) == (boot, code)]
        fitting = [at_us for at_us in when if wish.sent_us <= at_us <= self.bench.now_us]
        must(len(fitting) > 0, f"{code.name} is not in the log since {wish.sent_us} us")
        return fitting[0]

    def _take_over(self, wish: Wish, at_us: int) -> None:
        oracle, parameters = self.oracle, wish.parameters
        if isinstance(parameters, ProgramParameters):
            told_nl = parameters.fill_nl
            told = None if told_nl == FILL_NOT_TOLD else told_nl
            oracle.programmed(parameters.therapy, parameters.at_wall_s, told, wish.moved_pl)
        elif isinstance(parameters, SetClockParameters):
            oracle.clock_set()
        elif isinstance(parameters, RefillParameters):
            oracle.filled(parameters.injected_nl, wish.moved_pl)
        elif isinstance(parameters, BolusParameters):
            self._dose(wish, parameters, at_us)
        elif wish.op is TxnOp.RESUME:
            oracle.reason = StopReason.NONE
        elif parameters == ClearAlarmParameters(Code.LOW_BATTERY_RESET):
            oracle.rely_on_battery()

    def _dose(self, wish: Wish, parameters: BolusParameters, at_us: int) -> None:
        oracle, config = self.oracle, self.bench.config
        assert oracle.therapy is not None
        must(oracle.dose is None, "a second bolus while one runs")
        must(oracle.reason is StopReason.NONE, "a bolus of a stopped pump")
        strokes = bolus_strokes(parameters, oracle.therapy, config)
        like = [us for _, other, us in self.boluses if other == strokes]
        meant = parameters.again or not like or at_us - like[-1] >= REPEAT_GUARD_US
        must(bool(meant), "the same bolus twice within 10 min")
        self.boluses.append((parameters, strokes, at_us))
        flow = bolus_flow(
            parameters, strokes, oracle.therapy, config,
            lambda for_us: oracle.highest(at_us, for_us),
        )  # fmt: skip
        end_us = at_us - int(-strokes * config.stroke_pl // flow)
        moved_pl, beside = wish.moved_pl, oracle.highest(at_us, end_us - at_us)
        oracle.dose = Dose(
            wish.commit.txn, strokes, flow, at_us, end_us, moved_pl, beside,
            pauses=oracle.therapy.bolus_basal is BolusBasal.PAUSE,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop the pump."""
        self.oracle.account()
        self.line.ask("STOP")
        self.oracle.stopped()

    # --- boots ----------------------------------------------------------------------------------

    def cut(self, duration_us: int) -> None:
        """All power is gone for so long."""
        self.oracle.cut()
        self.bench.board.power_cut(duration_us)
        self.bench.run(duration_us)
        self._booted()

    def reset(self, cause: ResetCause) -> None:
        """A warm reset."""
        self.oracle.account()
        self.bench.board.reset(cause)
        self.bench.drain()
        self._booted()

    def _booted(self) -> None:
        self.boots += 1
        self.line.hang_up()
        self.oracle.boot()

    # --- the check ------------------------------------------------------------------------------

    def check(self) -> None:
        """Judge everything now, on a clean line."""
        self.bench.board.faults.clear("link.noise")
        self.bench.drain()
        status = self.status()
        self.oracle.judge(status)
        self._judge_doses()
        self._judge_old()
        self.read_log()

    def _judge_doses(self) -> None:
        oracle = self.oracle
        for over in list(oracle.ended):
            result: TxnResult = self.line.ask("QUERY", TxnRef(over.dose.txn))
            if result.state is TxnState.DELIVERING:
                late = self.bench.now_us > over.at_us + _SETTLE_US
                must(not late, f"a bolus is over, but {result}")
            else:
                oracle.judge_dose(result, over)
                oracle.ended.remove(over)

    def _judge_old(self) -> None:
        """What is settled stays so, and what was never done stays undone."""
        for wish in self.random.sample(self.wishes[-40:], min(2, len(self.wishes))):
            txn = wish.commit.txn
            result: TxnResult = self.line.ask("QUERY", TxnRef(txn))
            before = self._results.get(txn)
            if result.state is TxnState.UNKNOWN and txn in self.done[:-REMEMBERED]:
                continue
            if before is not None:
                now = replace(result, generation=before.generation)
                must(now == before, f"{before} has become {result}")
            if result.state in _SETTLED:
                self._results[txn] = result

    def read_log(self) -> None:
        """Read what is new in the log: whole records, numbered without a gap."""
        while True:
            first = len(self.log)
            page = self.line.ask("LOG_READ", LogRead(first, 14))
            must(page.next >= first, f"the log went back from {first} to {page.next}")
            for record in page.records:
                self._judge_record(record)
                self.log.append(record)
            if not page.records:
                must(page.next == len(self.log), f"{page.next} records, {len(self.log)} are whole")
                return

    def _judge_record(self, record: LogRecord) -> None:
        must(record.seq == len(self.log), f"record {record.seq} in place {len(self.log)}")
        if not self.log:
            return
        last = self.log[-1]
        order = (record.boot_id, record.tick_us) >= (last.boot_id, last.tick_us)
        later = record.wall_s >= last.wall_s or record.code is Code.CLOCK_SET
        must(order and later, f"{record} after {last}")
        if record.code is Code.ALARM_RAISED:
            earlier = [r for r in self.log if r.boot_id == record.boot_id and r.a == record.a]
            told = [r for r in earlier if r.code in (Code.ALARM_RAISED, Code.ALARM_CLEARED)]
            stands = told and told[-1].code is Code.ALARM_RAISED
            more_urgent = stands and record.b > told[-1].b
            must(not stands or more_urgent, f"alarm {record.a} raised twice")
