"""What a clinician is warned of: codes, each with its sentence.

A warning refuses nothing: it is shown with the review, before the question, and listed in the
result. What is refused is refused by a limit, of the programmer or of the pump.
"""

import enum
from typing import Final, NamedTuple

from firmware.drugs import find
from firmware.limits import Passed
from protocol.codes import ProgramKind
from protocol.errors import LimitId
from protocol.messages import DeviceInfo, Status, Therapy
from tools.programmer import clock_effect, doses, limits, sensed
from tools.programmer import format as text
from tools.programmer.before import Before
from tools.programmer.residual import Residual

DAY_S: Final = 86_400
CLOCK_JUMP_S: Final = 26 * 3600
"""No two places on Earth are further apart on the clock."""


class Warn(enum.Enum):
    """The codes, and when each comes; new ones are added, none renamed."""

    BRIDGE_OMITTED = "another solution was programmed and no bridge followed at once"
    CONCENTRATION_CHANGED = "a program names other drugs or concentrations than the one before"
    DOSE_CHANGE = "a program changes a dose by more than is usual in one step"
    IMPLAUSIBLE_FLOW = "a concentration was edited and the flow would jump; it is refused too"
    DISCREPANCY_OVER = "a residual says that the pump gave more than its accuracy allows"
    DISCREPANCY_UNDER = "a residual says that it gave less"
    RESIDUAL_IMPLAUSIBLE = "a residual is more than was filled"
    SENSOR_DISAGREE = "the level sensor contradicts the volume that the pump counts"
    STABILITY_PASSED = "the drugs in the reservoir are older than they are good for"
    OPEN_TRANSACTION = "an earlier session was cut off with a transaction open; it is closed now"
    CLOCK_CHANGES_DOSE = "a new wall clock moves the steps of a schedule, or a scheduled change"
    CLOCK_JUMP = "a new wall clock is more than 26 h from the old one"
    FIRST_PRESCRIPTION = "the pump holds no prescription that a new one can be compared with"
    DRUG_UNKNOWN = "a drug is not in the drug table, so no dose limit holds for it"
    BRIDGE_VOIDED = "a program ends a bridge that was stopped, with the rest of it not given"
    THERAPY_ENDS = "a program that delivers nothing, or the minimum rate, replaces a therapy"
    CATHETER_IMPLAUSIBLE = "a catheter is shorter, longer, thinner or wider than usual"
    ALARM_VOLUME = "a low-reservoir volume is below 1 mL, or above a quarter of the reservoir"
    STABILITY_LONG = "drugs are said to keep longer than the drug table has it"
    PATIENT_BOLUS = "what the patient may take, or the window over it, looks mistyped"
    SCHEDULED_LATE = "a scheduled change would take over after the refill is due"
    BOLUS_DOSE = "a bolus is above 1/4 or below 1/100 of the day's dose, or asked for as a volume"
    PRIME_AGAIN = "a prime is asked for though tubing and catheter are full"
    FILL_VOLUME = "a fill is no more than the low-reservoir volume, or 1/4 off the fill before"
    REFILLED_AGAIN = "the pump was told of a fill less than 24 h ago"
    STAYS_STOPPED = "a stopped pump is refilled; that does not start it"
    EXPORT_OLD = "an export is imported that was read days before"
    CLOCK_BEHIND = "an export is imported into a pump whose clock is behind the other pump's"
    SAME_PUMP = "an export goes back into the pump that it was read from"
    CHANGE_PASSED = "an export holds a scheduled change whose date has passed"
    OUT_OF_SERVICE = "a pump is put out of service; it is quiet from then on"


class Caution(NamedTuple):
    """One warning."""

    code: Warn
    sentence: str

    def __str__(self) -> str:
        """Return it as a line."""
        return f"! {self.code.name}: {self.sentence}"


_DOSE_LIMITS: Final = (
    LimitId.DOSE_RISE_PERCENT, LimitId.DOSE_FALL_PERCENT, LimitId.DOSE_STEP_PG,
)  # fmt: skip
BRIDGE_OMITTED: Final = Caution(
    Warn.BRIDGE_OMITTED,
    "tubing and catheter still hold the old solution, which is now given at the new rate; "
    "a bridge follows with `bridge`",
)


def of_program(
    current: Therapy | None, pending: Therapy, status: Status, device: DeviceInfo
) -> list[Caution]:
    """Return what to say of a therapy before it is programmed."""
    found = []
    if current is not None and current.drugs != pending.drugs:
        before, after = solution(current), solution(pending)
        found.append(
            Caution(
                Warn.CONCENTRATION_CHANGED,
                f"from {before} to {after}; the reservoir must hold the new solution",
            )
        )
    for passed in limits.of_program(pending, current, device):
        found += _of_limit(passed, current, pending, device)
    return found + of_visit(status, current)


def path_changes(current: Therapy | None, pending: Therapy) -> bool:
    """Return True when tubing and catheter hold another solution than the new program means."""
    return current is not None and current.drugs[0] != pending.drugs[0]


def of_visit(status: Status, therapy: Therapy | None) -> list[Caution]:
    """Return what to say at the start of a visit."""
    found = of_sensor(status)
    if therapy is None or not therapy.stability_days or not status.fill_wall_s:
        return found
    until_s = status.fill_wall_s + therapy.stability_days * DAY_S
    if status.wall_s < until_s:
        return found
    passed = text.date_text(until_s)
    return [
        *found,
        Caution(Warn.STABILITY_PASSED, f"the drugs in the reservoir were good until {passed}"),
    ]


def of_sensor(status: Status) -> list[Caution]:
    """Return what a level sensor tells of a fill, as soon as the pump has been told of it."""
    contradiction = sensed.contradiction(status)
    return [] if contradiction is None else [Caution(Warn.SENSOR_DISAGREE, contradiction)]


def of_status(status: Status, therapy: Therapy | None) -> list[Caution]:
    """Return what to say of a pump as it is: as at a visit, and of drugs that no limit knows."""
    unknown = [
        Caution(Warn.DRUG_UNKNOWN, f"{drug.name} is not in the drug table: no dose limit holds")
        for drug in (therapy.drugs if therapy is not None else ())
        if find(drug.name) is None
    ]
    return of_visit(status, therapy) + unknown


def of_residual(residual: Residual) -> list[Caution]:
    """Return what to say of the volume that was taken out."""
    found = []
    low, high = (text.decimal(nl / text.NL_PER_ML, 3) for nl in (residual.low_nl, residual.high_nl))
    gate = f"{low} to {high} mL would be within its accuracy"
    if residual.over:
        found.append(
            Caution(Warn.DISCREPANCY_OVER, f"the pump has given more than it believes; {gate}")
        )
    if residual.under:
        found.append(
            Caution(Warn.DISCREPANCY_UNDER, f"the pump has given less than it believes; {gate}")
        )
    if residual.implausible:
        found.append(
            Caution(
                Warn.RESIDUAL_IMPLAUSIBLE,
                f"{text.millilitres(residual.actual_nl)} cannot be what is left of "
                f"{text.millilitres(residual.fill_nl)}; was it mistyped, or was the fill not "
                "what the pump was told, or not in the reservoir?",
            )
        )
    return found


def of_clock(before: Before, device: DeviceInfo, wall_s: int) -> list[Caution]:
    """Return what a new wall clock does to the dose, and whether its date looks mistyped."""
    now_s, found = before.status.wall_s, []
    moved = text.seconds(abs(wall_s - now_s))
    way = "earlier" if wall_s > now_s else "later"
    if abs(wall_s - now_s) > CLOCK_JUMP_S:
        found.append(
            Caution(
                Warn.CLOCK_JUMP,
                f"{moved}, more than any journey or summer time; was the date mistyped? Drug "
                "stability, replacement indicator and end of service go by this clock",
            )
        )
    prescribed = before.prescribed(device)
    if prescribed is None or (effect := clock_effect.of(prescribed, now_s, wall_s)) is None:
        return found
    words = []
    if prescribed.therapy.program is ProgramKind.FLEX:
        words.append(_steps_move(prescribed.therapy, now_s, wall_s, f"{moved} {way}"))
    if prescribed.scheduled is not None:
        at_s = prescribed.scheduled.pending_wall_s
        comes = "at once" if at_s <= wall_s else f"{moved} {way}"
        words.append(f"the change scheduled for {text.date_text(at_s)} by the clock comes {comes}")
    words.append(clock_effect.sentence(effect, prescribed.therapy))
    return [*found, Caution(Warn.CLOCK_CHANGES_DOSE, "; ".join(words))]


def _steps_move(therapy: Therapy, now_s: int, wall_s: int, moved: str) -> str:
    before, after = (doses.step_at(therapy, at) for at in (now_s, wall_s))
    rates = [text.rate_hour(doses.step_pl_h(therapy, step)) for step in (before, after)]
    if before != after:
        return f"the rate goes from {rates[0]} to {rates[1]} at once, and all steps move {moved}"
    return f"the rate stays {rates[0]} for now, and all later steps move {moved}"


def _of_limit(
    passed: Passed, current: Therapy | None, pending: Therapy, device: DeviceInfo
) -> list[Caution]:
    assert current is not None or passed.id not in (*_DOSE_LIMITS, LimitId.FLOW_JUMP_PL_H)
    if passed.id is LimitId.FLOW_JUMP_PL_H and current is not None:
        rates = [text.rate_day(doses.basal_pl_h(one, device)) for one in (current, pending)]
        return [
            Caution(
                Warn.IMPLAUSIBLE_FLOW,
                f"with this concentration the flow would jump from {rates[0]} to {rates[1]}; "
                "one of the two concentrations was mistyped",
            )
        ]
    if passed.id in _DOSE_LIMITS and current is not None:
        name = pending.drugs[passed.drug - 1].name
        daily = [doses.daily_pg(one, device).get(name, 0) for one in (current, pending)]
        return [
            Caution(
                Warn.DOSE_CHANGE,
                f"{name} from {text.mass(daily[0])}/day to {text.mass(daily[1])}/day, more than "
                "is usual in one step",
            )
        ]
    return []


def solution(therapy: Therapy) -> str:
    """Return what is in the reservoir of a therapy, in words."""
    return " + ".join(
        f"{drug.name} {text.concentration(drug.concentration_pg_ml)}" for drug in therapy.drugs
    )
