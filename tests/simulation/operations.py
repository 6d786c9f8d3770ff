"""What may be done to a pump: one table of deeds and how often each is done."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from hal.interfaces import ResetCause
from protocol.codec import Message
from protocol.codes import (
    BolusBasal,
    BolusKind,
    EmergencyAction,
    ProgramKind,
    RateBasis,
    RatePer,
    StopReason,
    TxnOp,
)
from protocol.errors import ErrorCode
from protocol.link import LinkFailed
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    ClearAlarmParameters,
    Commit,
    Drug,
    Empty,
    FlexStep,
    ProgramParameters,
    Rate,
    RefillParameters,
    SetClockParameters,
    Therapy,
)

from .life import Life
from .wishes import HOUR_US
from .world import Refuses, must

SECOND_US: Final = 1_000_000
DAY_US: Final = 24 * HOUR_US
U64: Final = (1 << 64) - 1
_FINAL: Final = (StopReason.EOS, StopReason.MOTOR_STALL)
_PROGRAMS: Final = (
    ProgramKind.STOPPED,
    ProgramKind.MINIMUM_RATE,
    ProgramKind.SIMPLE_CONTINUOUS,
    ProgramKind.FLEX,
)
Wanted = tuple[TxnOp, Message]


def _spread(life: Life, least: int, most: int) -> int:
    """An integer, even in its order of magnitude."""
    return int(least * (most / least) ** life.random.random())


# --- what may be wished for ---------------------------------------------------------------------


def _program(life: Life) -> Wanted:
    random, config = life.random, life.bench.config
    kind = random.choices(_PROGRAMS, (1, 2, 8, 5))[0]
    concentration = random.choice((2_000_000_000, 500_000_000, 333_333_333, 7))
    drug = Drug(f"drug {concentration}", concentration)  # none in the drug table
    ul_day = _spread(life, 48, 24_000)
    rate = random.choice((
        Rate(RateBasis.VOLUME_PL, RatePer.DAY, ul_day * 10**6),
        Rate(RateBasis.VOLUME_PL, RatePer.HOUR, ul_day * 10**6 // 24 + random.randrange(9)),
        Rate(RateBasis.MASS_PG, RatePer.DAY, ul_day * drug.concentration_pg_ml // 1000),
    ))  # fmt: skip
    steps = _steps(life, rate) if kind is ProgramKind.FLEX else ()
    if kind is ProgramKind.FLEX:
        rate = replace(rate, amount=0)
    elif kind is not ProgramKind.SIMPLE_CONTINUOUS:
        rate = Rate(RateBasis.VOLUME_PL, RatePer.DAY, 0)
    therapy = Therapy(
        (drug,), kind, rate, random.choice((0, 1_000, 100_000, 2_000_000)),
        random.choice((0, 180, 65_535)), 815_000, 2_200_000, random.choice(list(BolusBasal)),
        EmergencyAction.STOP, 0, steps,
    )  # fmt: skip
    told_nl = FILL_NOT_TOLD
    if life.oracle.therapy is None or random.random() < 0.2:
        told_nl = min(config.capacity_nl, life.bench.board.plant.reservoir_pl // 1000)
    at_wall_s = 0
    before = life.oracle.therapy
    if random.random() < 0.2:
        therapy = replace(therapy, drugs=before.drugs) if before is not None else therapy
        at_wall_s = life.bench.board.rtc.now_s() + _spread(life, 1, 10 * 86_400)
    return TxnOp.PROGRAM, ProgramParameters(therapy, told_nl, at_wall_s)


def _steps(life: Life, rate: Rate) -> tuple[FlexStep, ...]:
    """Steps of other rates at random minutes, and one on every day."""
    random = life.random
    minutes = sorted(random.sample(range(1440), random.randrange(1, 8)))
    steps = [FlexStep(127, minutes.pop(0), rate.amount)]
    for minute in minutes:
        days = random.choice((127, 31, 96, 1 << random.randrange(7)))
        steps.append(FlexStep(days, minute, rate.amount * random.randrange(1, 40) // 10))
    return tuple(sorted(steps, key=lambda step: (step.days & -step.days, step.from_min)))


def _set_clock(life: Life) -> Wanted:
    """Summer time, travel, a wrong date."""
    by_s = life.random.choice((3600, -3600, _spread(life, 1, 86_400), -_spread(life, 1, 86_400)))
    return TxnOp.SET_CLOCK, SetClockParameters(life.bench.board.rtc.now_s() + by_s)


def _bolus(life: Life) -> Wanted:
    """Sometimes the last one again, as somebody enters it whose tool has crashed."""
    random = life.random
    if life.boluses and random.random() < 0.3:
        return TxnOp.BOLUS, replace(life.boluses[-1][0], again=0)
    volume_nl = _spread(life, 250, 2_000_000)
    duration_us = random.choice((0, 0, _spread(life, volume_nl * 3600, DAY_US)))
    again = int(random.random() < 0.9)
    return TxnOp.BOLUS, BolusParameters(
        BolusKind.SINGLE, RateBasis.VOLUME_PL, volume_nl * 1000, duration_us, again
    )


def _refill(life: Life) -> Wanted:
    """The needle first; what is told is mostly true."""
    random, plant = life.random, life.bench.board.plant
    volume_nl = _spread(life, 1_000, plant.capacity_pl // 1000)
    if random.random() < 0.8:
        plant.refill(volume_nl * 1000, ())
    told_nl = volume_nl if random.random() < 0.8 else _spread(life, 1, plant.capacity_pl // 1000)
    return TxnOp.REFILL, RefillParameters(told_nl)


def _resume(life: Life) -> Wanted:
    return TxnOp.RESUME, Empty()


def _clear(life: Life) -> Wanted:
    standing = [entry.code for entry in life.status().alarms]
    return TxnOp.CLEAR_ALARM, ClearAlarmParameters(life.random.choice(standing))


def _absurd(life: Life) -> Wanted:
    """Values at the ends of their fields."""
    random = life.random
    far = (0, 1, U64, U64 - 1, 1 << 63)
    if random.random() < 0.5:
        amount, duration = random.choice(far), random.choice(far)
        basis = random.choice(list(RateBasis))
        return TxnOp.BOLUS, BolusParameters(BolusKind.SINGLE, basis, amount, duration, 1)
    rate = Rate(random.choice(list(RateBasis)), random.choice(list(RatePer)), random.choice(far))
    therapy = Therapy(
        (Drug("x" * 24, random.choice(far)),), random.choice(list(ProgramKind)), rate,
        random.choice((0, 0xFFFFFFFF)), 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, BolusBasal.PAUSE,
        EmergencyAction.STOP, 255,
    )  # fmt: skip
    return TxnOp.PROGRAM, ProgramParameters(therapy, random.choice((0, FILL_NOT_TOLD - 1)))


_WISHES: Final[dict[Callable[[Life], Wanted], int]] = {
    _program: 6, _bolus: 8, _refill: 2, _resume: 4, _set_clock: 1,
}  # fmt: skip


def _any(life: Life) -> Wanted:
    return life.random.choices(list(_WISHES), _WISHES.values())[0](life)


# --- deeds --------------------------------------------------------------------------------------


def _do(life: Life, wanted: Wanted) -> None:
    """Prepare and commit; a refusal must have its reason."""
    op, parameters = wanted
    pending = life.oracle.calendar.pending
    life.note(f"{op.name} {parameters}")
    try:
        life.transact(op, parameters)
    except Refuses as refused:
        life.note(f"  refused: {refused}")
        if refused.code is not ErrorCode.GENERATION or pending is None:
            _judge_refusal(life, op, refused.code)
    except LinkFailed:
        life.note("  no link")


def _judge_refusal(life: Life, op: TxnOp, code: ErrorCode) -> None:
    oracle = life.oracle
    life.bench.board.faults.clear("link.noise")
    if op in (TxnOp.PROGRAM, TxnOp.REFILL) and code is not ErrorCode.LIMIT_HARD:
        status = life.status()
        life.oracle.judge(status)
        free = not oracle.ended and oracle.dose is None and oracle.reason not in _FINAL
        must(not free, f"{op.name} refused: {code.name}")


def wish(life: Life) -> None:
    """An ordinary wish on a good line."""
    _do(life, _any(life))


def absurd(life: Life) -> None:
    """Values that nobody means."""
    op, parameters = _absurd(life)
    life.note(f"absurd {op.name} {parameters}")
    try:
        life.prepare(op, parameters)
    except Refuses as refused:
        life.note(f"  refused: {refused}")


def clear_alarm(life: Life) -> None:
    """Clear one alarm that stands."""
    if life.status().alarms:
        _do(life, _clear(life))


def stop(life: Life) -> None:
    """Stop the pump."""
    life.note("STOP")
    try:
        life.stop()
    except Refuses as refused:
        must(refused.code is ErrorCode.STATE and life.oracle.reason in _FINAL, f"{refused}")


def noisy(life: Life) -> None:
    """An ordinary wish over a noisy line."""
    ber = life.random.choice(("0.0001", "0.0005", "0.002"))
    life.note(f"noise {ber}")
    life.bench.board.faults.inject("link.noise", {"ber": ber})
    _do(life, _any(life))


def advance(life: Life) -> None:
    """Let time pass."""
    duration_us = _spread(life, 1, 3 * DAY_US)
    if life.oracle.flow() * 40 > life.bench.config.flow_max_pl_h / HOUR_US:
        duration_us = min(duration_us, 6 * HOUR_US)
    life.note(f"advance {duration_us} us")
    life.bench.run(duration_us)


def to_event(life: Life) -> None:
    """Go to the next instant at which something is due, and stand in the middle of it."""
    due_us = life.bench.world.next_event_us()
    events = life.random.randrange(4)
    if due_us is not None:
        life.bench.run(max(0, due_us - 1 - life.bench.now_us))
        life.bench.world.run_some(due_us, events)
        life.note(f"next event, {events} more of its instant; then")
        life.random.choice((wish, stop, cut, reset, torn, cut_commit))(life)


def cut(life: Life) -> None:
    """All power is gone for a while."""
    duration_us = _spread(life, 1, DAY_US)
    life.note(f"power cut for {duration_us} us")
    life.cut(duration_us)


def reset(life: Life) -> None:
    """A warm reset."""
    cause = life.random.choice((ResetCause.WATCHDOG, ResetCause.COMMANDED))
    life.note(f"reset {cause.name}")
    life.reset(cause)


def _sent(life: Life) -> Commit | None:
    """Prepare something and put its COMMIT on the line; nothing has happened yet."""
    op, parameters = _any(life)
    life.note(f"{op.name} {parameters}, and the tool dies")
    try:
        commit = life.prepare(op, parameters)
    except Refuses as refused:
        life.note(f"  refused: {refused}")
        return None
    life.wish(op, parameters, commit)
    life.line.send_and_die("COMMIT", commit)
    return commit


def torn(life: Life) -> None:
    """The tool dies with the COMMIT on the line, and asks later."""
    if _sent(life) is not None:
        duration_us = _spread(life, 1, HOUR_US)
        life.note(f"  asks after {duration_us} us")
        life.bench.run(duration_us)
        life.settle(life.wishes[-1])


def cut_commit(life: Life) -> None:
    """The pump loses its power, or is reset, in the middle of a commit."""
    if _sent(life) is None:
        return
    events = life.random.randrange(40)
    life.note(f"  {events} events later")
    life.bench.world.run_some(life.bench.now_us, events)
    life.random.choice((cut, reset))(life)
    life.settle(life.wishes[-1])


def overtaken(life: Life) -> None:
    """Another tool stops the pump in the middle of a commit: the stop came last and holds."""
    if life.oracle.reason in _FINAL or _sent(life) is None:
        return
    events = life.random.randrange(40)
    life.note(f"  {events} events later STOP")
    before = life.oracle.reason
    life.bench.world.run_some(life.bench.now_us, events)
    life.line.ask("STOP")
    life.settle(life.wishes[-1])
    life.oracle.stopped()
    if before is not StopReason.NONE and life.status().stop_reason is before:
        life.oracle.reason = before


def prepared_only(life: Life) -> None:
    """The tool dies between PREPARE and COMMIT."""
    op, parameters = _any(life)
    life.note(f"{op.name} {parameters}, never committed")
    try:
        life.prepare(op, parameters)
    except Refuses as refused:
        life.note(f"  refused: {refused}")
    life.line.hang_up()


def replay(life: Life) -> None:
    """An old COMMIT comes again."""
    if life.wishes:
        old = life.random.choice(life.wishes)
        life.note(f"COMMIT {old.commit.txn} again")
        wish = life.wish(old.op, old.parameters, old.commit)
        try:
            life.line.ask("COMMIT", old.commit)
        except Refuses as refused:
            life.note(f"  refused: {refused}")
        life.settle(wish)


def magnet(life: Life) -> None:
    """A field holds the rotor."""
    random, bench = life.random, life.bench
    if life.oracle.held(bench.now_us, bench.now_us + 1):
        return
    for_us = _spread(life, SECOND_US, HOUR_US)
    recovery_us = random.choice((0, _spread(life, SECOND_US, 100 * HOUR_US)))
    life.note(f"magnet for {for_us} us, recovery {recovery_us} us")
    life.oracle.hold(bench.now_us + max(for_us, recovery_us))
    bench.board.faults.inject("magnet_field", {"recovery": recovery_us}, for_us)


def drain(life: Life) -> None:
    """The battery loses charge."""
    percent = life.random.choice((1, 5, 20, 40))
    life.note(f"battery loses {percent} %")
    life.bench.board.faults.inject("battery.drain", {"percent": percent})


DEEDS: Final[dict[Callable[[Life], None], int]] = {
    wish: 30, advance: 30, to_event: 12, stop: 4, clear_alarm: 4, cut: 5, reset: 5, torn: 6,
    cut_commit: 8, overtaken: 3, prepared_only: 2, replay: 3, noisy: 4, magnet: 3, absurd: 2,
    drain: 1,
}  # fmt: skip
