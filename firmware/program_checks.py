"""May this be prescribed? Form, schedule, flows, dates and fill, as pure functions.

Each check raises `Refused` with the first refusal that applies and changes nothing.
"""

from typing import Final

from firmware.checks import Refused, check_bolus, plan_bolus
from firmware.daily import largest_pl
from firmware.device import DeviceConfig
from firmware.flow import (
    DAY_US,
    HOUR_US,
    ZERO,
    Flow,
    exceeds,
    flow,
    from_rate,
    per_hour,
    volume_pl,
)
from firmware.program import DAY_S, WEEK_US, flex_edges, mean_flow, periodic_dose, program_of
from protocol.codes import BolusBasal, ProgramKind
from protocol.errors import ErrorCode, LimitId
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    NO_PERIODIC,
    Drug,
    FlexStep,
    ProgramParameters,
    Therapy,
)

_SECOND_US: Final = 1_000_000
_DAY_MIN: Final = 1440
_WEEK: Final = 0b1111111
AHEAD_MAX_S: Final = 366 * DAY_S
"""A scheduled change comes within a year: beyond that a date is taken to be a mistake."""


def strokes_per_day(flow_: Flow, config: DeviceConfig) -> int:
    """Return the nearest whole number of strokes per 24 h: what can be achieved."""
    per_stroke = flow_.denominator * config.stroke_pl
    return (2 * flow_.numerator * DAY_US + per_stroke) // (2 * per_stroke)


def check_program(parameters: ProgramParameters, config: DeviceConfig) -> Flow:
    """Check a whole prescription; return its mean flow."""
    therapy = parameters.therapy
    _check_form(therapy)
    if therapy.program is ProgramKind.FLEX:
        _check_steps(therapy.steps)
        for _, step_flow in flex_edges(therapy):
            _check_flow(step_flow, config.flow_min_pl_h, config)
    elif therapy.program is ProgramKind.SIMPLE_CONTINUOUS:
        _check_flow(from_rate(therapy.rate, therapy.drugs), config.flow_min_pl_h, config)
    elif therapy.program is ProgramKind.PERIODIC:
        # A background is what flows in between: it may be as low as the pump can go.
        background = from_rate(therapy.rate, therapy.drugs)
        _check_flow(background, config.minimum_rate_pl_h, config)
        _check_periodic(therapy, config)
    _check_patient(therapy, config)
    _check_window(therapy, config)
    if therapy.low_reservoir_nl >= config.capacity_nl:
        raise _limit(LimitId.LOW_RESERVOIR_NL, therapy.low_reservoir_nl, config.capacity_nl)
    if parameters.fill_nl != FILL_NOT_TOLD:
        check_fill(parameters.fill_nl, config)
    return mean_flow(therapy, config)


def check_fill(fill_nl: int, config: DeviceConfig) -> None:
    """Check a volume said to be in the reservoir."""
    if fill_nl > config.capacity_nl:
        raise _limit(LimitId.RESERVOIR_NL, fill_nl, config.capacity_nl)


def check_scheduled(at_wall_s: int, after: Therapy, before: Therapy | None, wall_s: int) -> None:
    """Check a scheduled change: it comes within a year, and of the drugs that are there.

    What is in the reservoir does not change by itself at an instant.
    """
    if at_wall_s <= wall_s:
        raise _limit(LimitId.DATE_S, at_wall_s, wall_s)
    if at_wall_s > wall_s + AHEAD_MAX_S:
        raise _limit(LimitId.DATE_S, at_wall_s, wall_s + AHEAD_MAX_S)
    if before is not None and before.drugs != after.drugs:
        new, old = after.drugs[0], before.drugs[0]
        raise _limit(LimitId.CONCENTRATION_PG_ML, new.concentration_pg_ml, old.concentration_pg_ml)


def check_clock(wall_s: int, implanted_wall_s: int, eos_wall_s: int) -> None:
    """Check a new wall clock: within the pump's service life, or a day before it (travel).

    Beyond it the pump would end its service, for good, for a slip of the finger.
    """
    if wall_s < implanted_wall_s - DAY_S:
        raise _limit(LimitId.DATE_S, wall_s, implanted_wall_s - DAY_S)
    if wall_s >= eos_wall_s:
        raise _limit(LimitId.DATE_S, wall_s, eos_wall_s)


def _limit(limit_id: LimitId, value: int, limit: int) -> Refused:
    return Refused(ErrorCode.LIMIT_HARD, limit_id, value, max(0, limit))


def _check_form(therapy: Therapy) -> None:
    """1 to 5 drugs, named and with a concentration, and of the programs' parts its own."""
    if not therapy.drugs or not all(map(_drug, therapy.drugs)):
        raise Refused(ErrorCode.MALFORMED)
    rated = therapy.program in (ProgramKind.SIMPLE_CONTINUOUS, ProgramKind.PERIODIC)
    periodic = therapy.program is ProgramKind.PERIODIC
    if (
        (therapy.rate.amount and not rated)
        or (therapy.steps and therapy.program is not ProgramKind.FLEX)
        or (therapy.periodic != NO_PERIODIC and not periodic)
        or any(not 0 < step.days <= _WEEK for step in therapy.steps)
    ):
        raise Refused(ErrorCode.MALFORMED)


def _drug(drug: Drug) -> bool:
    """A name is read by people at every review: none may be blank, or more than a name."""
    named = bool(drug.name.strip()) and drug.name.isprintable()
    return named and drug.concentration_pg_ml > 0


def _check_steps(steps: tuple[FlexStep, ...]) -> None:
    """In order of (first day, minute), no two at one minute, and a step on every day.

    SCHEDULE_MIN names the minute that is wrong, and the one it must lie above (or the day's last);
    SCHEDULE_STEPS how many of the 7 days have a step.
    """
    last, last_min, days = (0, 0), 0, 0
    taken: set[tuple[int, int]] = set()
    for step in steps:
        if step.from_min >= _DAY_MIN:
            raise _limit(LimitId.SCHEDULE_MIN, step.from_min, _DAY_MIN - 1)
        here = step.days & -step.days, step.from_min
        own = {(day, step.from_min) for day in range(7) if step.days >> day & 1}
        if here < last or own & taken:
            raise _limit(LimitId.SCHEDULE_MIN, step.from_min, last_min)
        last, last_min = here, step.from_min
        taken |= own
        days |= step.days
    if days != _WEEK:
        raise _limit(LimitId.SCHEDULE_STEPS, days.bit_count(), 7)


def _check_periodic(therapy: Therapy, config: DeviceConfig) -> None:
    periodic = therapy.periodic
    if periodic.first_min >= _DAY_MIN and periodic.first_min != AT_ONCE:
        raise _limit(LimitId.SCHEDULE_MIN, periodic.first_min, _DAY_MIN - 1)
    numerator, denominator = volume_pl(periodic.basis, periodic.amount, therapy.drugs)
    volume_nl = numerator // denominator // 1000
    strokes, over_us = periodic_dose(therapy, config)
    if not strokes:
        raise _limit(LimitId.BOLUS_VOLUME_NL, volume_nl, config.stroke_pl // 1000)
    if numerator > config.bolus_max_nl * 1000 * denominator:
        raise _limit(LimitId.BOLUS_VOLUME_NL, volume_nl, config.bolus_max_nl)
    _check_flow(flow(strokes * config.stroke_pl, over_us), 0, config)
    if periodic.every_s * _SECOND_US < over_us:
        raise _limit(LimitId.PERIODIC_S, periodic.every_s, -(-over_us // _SECOND_US))


def _check_patient(therapy: Therapy, config: DeviceConfig) -> None:
    """What is granted the patient can be given, also while the basal is at its highest."""
    patient = therapy.patient
    if not patient.amount:
        return
    paused = therapy.bolus_basal is BolusBasal.PAUSE
    basal = ZERO if paused else program_of(therapy, config).highest(0, WEEK_US)
    over_us = patient.over_s * _SECOND_US
    plan = plan_bolus(patient.basis, patient.amount, over_us, therapy, basal, config)
    full_pl = config.capacity_nl * 1000
    check_bolus(plan, (patient.basis, patient.amount), therapy, basal, full_pl, config)


def _check_window(therapy: Therapy, config: DeviceConfig) -> None:
    """The basal alone must not pass the window: then no refusal of boluses could hold it."""
    if bool(therapy.window_nl) != bool(therapy.window_s):
        raise Refused(ErrorCode.MALFORMED)
    most_pl = largest_pl(program_of(therapy, config), therapy.window_s * _SECOND_US)
    if therapy.window_nl and most_pl > therapy.window_nl * 1000:
        value_nl = -(-most_pl.numerator // (most_pl.denominator * 1000))
        raise _limit(LimitId.WINDOW_NL, value_nl, therapy.window_nl)


def _check_flow(flow_: Flow, least_pl_h: int, config: DeviceConfig) -> None:
    value_pl_h = flow_.numerator * HOUR_US // flow_.denominator
    if exceeds(per_hour(least_pl_h), flow_):
        raise _limit(LimitId.FLOW_MIN_PL_H, value_pl_h, least_pl_h)
    if exceeds(flow_, per_hour(config.flow_max_pl_h)):
        raise _limit(LimitId.FLOW_MAX_PL_H, value_pl_h, config.flow_max_pl_h)
