"""Random lives of a whole therapy: everything that may be prescribed, interrupted at random.

Beside the bounds of `bounds.py`, the invariants of every scenario are watched at every event: the
window, the lockout, strokes of a standing pump, the account and the ledgers.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from emulator.devices.fluid import Drug as Solute
from hal.interfaces import ResetCause
from protocol import codec
from protocol.codec import Message
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    EmergencyAction,
    LockoutFrom,
    ProgramKind,
    RateBasis,
    RatePer,
    TxnOp,
)
from protocol.link import LinkFailed
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    BolusParameters,
    ClearAlarmParameters,
    Commit,
    Drug,
    Empty,
    FlexStep,
    PatientBolus,
    Periodic,
    Prepare,
    ProgramParameters,
    Rate,
    RefillParameters,
    SetClockParameters,
    Therapy,
)
from protocol.operations import SCHEMA_ID
from tools.scenario.invariants import Invariants

from .bounds import DAY_US, QUANTUM_PL, SECOND_US, Bounds, Steady
from .wishes import HOUR_US
from .world import Bench, Line, Refuses, must

NAME: Final = "test drug"
CONCENTRATIONS: Final = (500_000_000, 2_000_000_000, 1_000_000_000)
FILL_NL: Final = 20_000_000
CATHETER_UM, CATHETER_PL_CM = 815_000, 2_200_000
CATHETER_PL: Final = CATHETER_UM * CATHETER_PL_CM // 10_000
EVERY_DAY: Final = 0b1111111


class TherapyLife:
    """A pump on a therapy of one drug, the tool beside it and what is judged."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.concentration = self.random.choice(CONCENTRATIONS)
        profile = self.random.choice(("rotor-20", "rotor-40"))
        drugs = (Solute(NAME, self.concentration),)
        self.bench = Bench(profile, FILL_NL * 1000, seed, drugs=drugs, catheter_pl=CATHETER_PL)
        self.line = Line(self.bench, self.random.getrandbits(48))
        self.bounds = Bounds(self.bench)
        self.invariants = Invariants(self.bench.pump)
        self.invariants.watch()
        self.deeds: list[str] = []
        self.pg_day = 0
        """The dose of a simple continuous program; 0 for another."""
        self.refused = False
        """The last wish was refused; else it was done, or nobody knows."""
        self.told = False
        """The pump knows what it was filled with."""
        self.path_pl = self.bench.config.tubing_nl * 1000 + CATHETER_PL
        self.drawn_pl = -self.path_pl
        """What the rotor had swept when the needle last brought another solution."""
        self._txn = 0

    def note(self, what: str) -> None:
        """Write down what is done now."""
        self.deeds.append(f"{self.bench.now_us:>16} us  {what}")

    def do(self, op: TxnOp, parameters: Message, *, dies: bool = False) -> bool:
        """Prepare and commit; True when it was acknowledged. Refused is no fault here."""
        self.note(f"{op.name} {parameters}" + (", and the tool dies" if dies else ""))
        self._txn += 1
        self.refused = False
        try:
            status = self.line.ask("STATUS")
            encoded = codec.encode(parameters)
            wanted = Prepare(self._txn, op, SCHEMA_ID, status.generation, encoded)
            preview = self.line.ask("PREPARE", wanted)
            commit = Commit(self._txn, preview.token, preview.hash)
            if dies:
                self.line.send_and_die("COMMIT", commit)
                self.bench.world.run_some(self.bench.now_us, self.random.randrange(40))
                return False
            self.line.ask("COMMIT", commit)
        except (Refuses, LinkFailed) as why:
            self.note(f"  {type(why).__name__}: {why}")
            self.refused = isinstance(why, Refuses)
            return False
        return True

    def begin_anew(self, uncertain_pl: int = 0) -> None:
        """Delivery is interrupted: a stroke may come early when it begins anew."""
        if self.bounds.steady is not None:
            self.bounds.steady.strokes += 2
            self.bounds.steady.uncertain_pl += uncertain_pl

    def check(self) -> None:
        """Judge everything now."""
        self.bench.board.faults.clear("link.noise")
        self.bench.drain()
        self.bounds.judge()
        self.bench.conserve()
        must(not self.invariants.count, f"invariants: {self.invariants.violations}")


def _dies(life: TherapyLife) -> bool:
    return life.random.random() < 0.15


# --- what is prescribed ---------------------------------------------------------------------------


def _therapy(life: TherapyLife) -> Therapy:
    random = life.random
    nl_day = random.randrange(100_000, 1_500_000)
    kind = random.choice((ProgramKind.SIMPLE_CONTINUOUS, ProgramKind.FLEX, ProgramKind.PERIODIC))
    pg_day = nl_day * life.concentration // 10**6
    therapy = Therapy(
        (Drug(NAME, life.concentration),), kind, Rate(RateBasis.MASS_PG, RatePer.DAY, pg_day),
        1_000_000, 0, CATHETER_UM, CATHETER_PL_CM, random.choice(list(BolusBasal)),
        EmergencyAction.STOP, 0,
    )  # fmt: skip
    if kind is ProgramKind.FLEX:
        pl_h = [random.randrange(4_000_000, 60_000_000) for _ in range(random.randrange(1, 6))]
        minutes = sorted(random.sample(range(1440), len(pl_h)))
        steps = [FlexStep(EVERY_DAY, at, amount) for at, amount in zip(minutes, pl_h, strict=True)]
        rate = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
        therapy = replace(therapy, rate=rate, steps=tuple(steps))
    elif kind is ProgramKind.PERIODIC:
        every_s = random.choice((3600, 7200, 14_400))
        pl = random.randrange(1_000_000, 20_000_000)
        first_min = random.choice((AT_ONCE, random.randrange(1440)))
        boluses = Periodic(RateBasis.VOLUME_PL, pl, random.choice((0, 300)), every_s, first_min)
        therapy = replace(therapy, periodic=boluses)
    if random.random() < 0.7:
        therapy = replace(therapy, patient=PatientBolus(
            RateBasis.VOLUME_PL, random.randrange(1_000_000, 40_000_000), random.choice((0, 300)),
            random.choice((600, 3600)), random.choice(list(LockoutFrom)), random.choice((0, 2, 6)),
        ))  # fmt: skip
    if random.random() < 0.5:
        hours = random.choice((1, 4, 24))
        therapy = replace(
            therapy, window_s=hours * 3600, window_nl=random.randrange(60_000, 120_000) * hours
        )
    return therapy


def program(life: TherapyLife) -> None:
    """A new prescription, now or later."""
    therapy, at_wall_s = _therapy(life), 0
    if life.random.random() < 0.25:
        at_wall_s = life.bench.board.rtc.now_s() + life.random.randrange(1, 2 * 86_400)
    _prescribe(life, therapy, at_wall_s)


def _prescribe(life: TherapyLife, therapy: Therapy, at_wall_s: int = 0) -> bool:
    life.bounds.wished(therapy)
    dies = _dies(life)
    plant = life.bench.board.plant
    told_nl = FILL_NOT_TOLD if life.told else plant.reservoir_pl // 1000
    done = life.do(TxnOp.PROGRAM, ProgramParameters(therapy, told_nl, at_wall_s), dies=dies)
    if life.refused:
        life.bounds.refused()
    elif done and not at_wall_s:
        life.bounds.committed(therapy)
    life.told |= done
    life.bounds.steady = None
    plain = therapy.program is ProgramKind.SIMPLE_CONTINUOUS
    life.pg_day = therapy.rate.amount if done and plain and not at_wall_s else 0
    return done


def change(life: TherapyLife, surely: bool = False) -> None:
    """Another concentration: needle, programmer, and mostly a bridge; `surely` of the same dose."""
    old, old_pg_ml, pg_day = life.bounds.therapies[-1:], life.concentration, life.pg_day
    life.concentration = life.random.choice(CONCENTRATIONS)
    life.note(f"needle: {life.concentration} pg/mL")
    drug = Drug(NAME, life.concentration)
    life.bench.board.plant.refill(FILL_NL * 1000, (Solute(NAME, life.concentration),))
    life.do(TxnOp.REFILL, RefillParameters(FILL_NL))
    even = life.bench.moved_pl - life.drawn_pl > life.path_pl
    life.drawn_pl = life.bench.moved_pl
    same = bool(old) and pg_day > 0 and (surely or life.random.random() < 0.7)
    therapy = replace(old[0], drugs=(drug,)) if same else _therapy(life)
    if not _prescribe(life, therapy) or not (surely or life.random.random() < 0.8):
        return
    if _ask(life, BolusKind.BRIDGE) and same and even:
        most_pg_ml = max(old_pg_ml, life.concentration)
        life.bounds.steady = Steady(life.bench, NAME, pg_day, most_pg_ml)


def bridged(life: TherapyLife) -> None:
    """Days of a steady dose, then the same of another solution; only interrupted afterwards."""
    pg_day = life.random.randrange(250_000, 900_000) * life.concentration // 10**6
    therapy = Therapy(
        (Drug(NAME, life.concentration),), ProgramKind.SIMPLE_CONTINUOUS,
        Rate(RateBasis.MASS_PG, RatePer.DAY, pg_day), 1_000_000, 0, CATHETER_UM, CATHETER_PL_CM,
        BolusBasal.CONTINUE, EmergencyAction.STOP, 0,
    )  # fmt: skip
    if _prescribe(life, therapy):
        life.bench.run(2 * DAY_US)
        change(life, surely=True)
        for _ in range(4):
            life.random.choice((advance, advance, stop, cut, reset, magnet))(life)
            life.check()


# --- boluses -------------------------------------------------------------------------------------


def _ask(life: TherapyLife, kind: BolusKind, volume_pl: int = 0, duration_us: int = 0) -> bool:
    life.bounds.asked(kind, volume_pl or life.path_pl)
    basis = RateBasis.VOLUME_PL
    return life.do(
        TxnOp.BOLUS, BolusParameters(kind, basis, volume_pl, duration_us, 1), dies=_dies(life)
    )


def prime(life: TherapyLife) -> None:
    """Fill the path, or the catheter alone."""
    _ask(life, life.random.choice((BolusKind.PRIME, BolusKind.PRIME_CATHETER)))


def patient(life: TherapyLife) -> None:
    """The patient asks, once or a few times too often."""
    for _ in range(life.random.choice((1, 1, 3))):
        _ask(life, BolusKind.PATIENT)
        life.bench.run(life.random.randrange(20 * 60 * SECOND_US))


def single(life: TherapyLife) -> None:
    """A single or loading bolus; a long single one that the patient may suspend."""
    kind = life.random.choice((BolusKind.SINGLE, BolusKind.SINGLE, BolusKind.LOADING))
    volume_pl = life.random.randrange(1_000_000, 100_000_000)
    _ask(life, kind, volume_pl, life.random.choice((0, HOUR_US, 3 * HOUR_US)))
    if life.random.random() < 0.5:
        life.bench.run(life.random.randrange(40 * 60 * SECOND_US))
        patient(life)


# --- what comes between --------------------------------------------------------------------------


def advance(life: TherapyLife) -> None:
    """Let time pass."""
    duration_us = int(SECOND_US * (2 * 86_400) ** life.random.random())
    life.note(f"advance {duration_us} us")
    life.bench.run(duration_us)


def to_event(life: TherapyLife) -> None:
    """Stand in the middle of the next instant at which something is due, and act."""
    due_us = life.bench.world.next_event_us()
    if due_us is not None:
        events = life.random.randrange(4)
        life.note(f"{events} events of the next instant; then")
        life.bench.run(max(0, due_us - 1 - life.bench.now_us))
        life.bench.world.run_some(due_us, events)
        life.random.choice((stop, cut, reset, patient, program))(life)


def stop(life: TherapyLife) -> None:
    """Stop, and mostly go on later."""
    life.note("STOP")
    try:
        life.line.ask("STOP")
    except Refuses as refused:
        life.note(f"  {refused}")
    life.begin_anew()
    if life.random.random() < 0.8:
        life.bench.run(life.random.randrange(HOUR_US))
        life.do(TxnOp.RESUME, Empty())


def cut(life: TherapyLife) -> None:
    """All power is gone for a while."""
    duration_us = int(SECOND_US * 86_400 ** life.random.random())
    life.note(f"power cut for {duration_us} us")
    life.begin_anew(QUANTUM_PL)
    life.bench.board.power_cut(duration_us)
    life.bench.run(duration_us)
    life.line.hang_up()


def reset(life: TherapyLife) -> None:
    """A warm reset."""
    life.note("reset")
    life.begin_anew()
    life.bench.board.reset(ResetCause.WATCHDOG)
    life.bench.drain()
    life.line.hang_up()


def magnet(life: TherapyLife) -> None:
    """A field holds the rotor; the alarm is cleared afterwards."""
    bench = life.bench
    for_us = life.random.randrange(SECOND_US, HOUR_US)
    life.note(f"magnet for {for_us} us")
    life.begin_anew()
    bench.board.faults.inject("magnet_field", {}, for_us)
    bench.run(for_us + 5 * 60 * SECOND_US)
    life.do(TxnOp.CLEAR_ALARM, ClearAlarmParameters(Code.MOTOR_STALL))


def noise(life: TherapyLife) -> None:
    """A bad line, or none at all, for one deed."""
    ber = life.random.choice(("0.0003", "0.002", "0.5"))
    life.note(f"noise {ber}")
    life.bench.board.faults.inject("link.noise", {"ber": ber})
    life.random.choice((program, patient, single))(life)


def set_clock(life: TherapyLife) -> None:
    """Summer time, travel."""
    wall_s = life.bench.board.rtc.now_s() + life.random.choice((3600, -3600, 20_000, -70_000))
    life.do(TxnOp.SET_CLOCK, SetClockParameters(wall_s))


DEEDS: Final[dict[Callable[[TherapyLife], None], int]] = {
    program: 6, change: 4, bridged: 3, prime: 2, patient: 10, single: 6, advance: 20, to_event: 8,
    stop: 3, cut: 4, reset: 4, magnet: 2, noise: 2, set_clock: 2,
}  # fmt: skip
