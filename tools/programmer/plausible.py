"""Slips that no limit catches: what is possible, but unlikely to be meant.

A limit refuses what is wrong for any patient. What is here may be right, and then a person says so
with a whole "yes". It is judged against what the pump holds already, so that a usual change of a
therapy says nothing; every bound is our own default, wide enough for usual practice and narrow
enough for a slip of ten.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from firmware import daily
from firmware.drugs import DRUGS, find
from protocol.codes import BolusKind, Mode, ProgramKind, RateBasis
from protocol.messages import (
    FILL_NOT_TOLD,
    BolusParameters,
    DeviceInfo,
    ProgramParameters,
    Status,
    Therapy,
)
from tools.programmer import doses
from tools.programmer import format as text
from tools.programmer.warnings import DAY_S, Caution, Warn
from tools.toml_file import closest

_QUIET: Final = (ProgramKind.STOPPED, ProgramKind.MINIMUM_RATE)
CATHETER_UM: Final = (200_000, 1_200_000)
"""Implanted length: 20 cm to 120 cm."""
CATHETER_PL_CM: Final = (1_000_000, 5_000_000)
"""0.001 to 0.005 mL/cm; catheters in use have 0.0022 and 0.0026."""
ALARM_MIN_NL: Final = 1_000_000
ALARM_PART: Final = 4
"""A low-reservoir volume is at most this part of the reservoir: 1/4."""
LOCKOUT_MIN_S: Final = 600
BOLUS_PART: Final = 4
"""One bolus is at most this part of the day's dose: 1/4."""
BOLUS_LEAST: Final = 100
"""And at least this part of it: 1/100."""
FACTOR: Final = 5
"""As in the drug limits: nothing usual changes fivefold at once; a decimal slip does, tenfold."""
RISE_PERCENT: Final = 100
FALL_PERCENT: Final = 50
"""Change of dose of a drug that is not in the drug table."""
FILL_PART: Final = 4
"""A fill differs from the one before by at most this part of it: 1/4."""


FIRST_PRESCRIPTION: Final = Caution(
    Warn.FIRST_PRESCRIPTION,
    "the pump has none to compare it with; check drug, concentration, dose and fill with the order",
)


# --- programs -----------------------------------------------------------------------------------


def of_program(
    current: Therapy | None, parameters: ProgramParameters, status: Status, device: DeviceInfo
) -> list[Caution]:
    """Return what to say of a prescription before it is programmed.

    Of the first one `FIRST_PRESCRIPTION` is said as well, unless it comes from another pump.
    Emptied and stopped is out of service, which its own warning says.
    """
    pending = parameters.therapy
    if pending.program is ProgramKind.STOPPED and not parameters.fill_nl:
        return []
    found = [*_drugs(current, pending, device)]
    if current is not None and pending.program in _QUIET and current.program not in _QUIET:
        found.append(Caution(Warn.THERAPY_ENDS, _ENDS[pending.program]))
    if status.bolus is BolusKind.BRIDGE and not parameters.at_wall_s:
        found.append(Caution(Warn.BRIDGE_VOIDED, _voided(status)))
    found += [*_catheter(current, pending), *_alarm(current, pending, device)]
    found += [*_stability(current, pending)]
    if current is None or current.patient != pending.patient:
        found += [
            Caution(Warn.PATIENT_BOLUS, words) for words in _patient(current, pending, device)
        ]
    found += _window(current, pending, device)
    if parameters.at_wall_s > status.refill_due_wall_s > 0:
        due = text.date_text(status.refill_due_wall_s)
        late = f"it takes over after the refill that is due {due}; is the date right?"
        found.append(Caution(Warn.SCHEDULED_LATE, late))
    if parameters.fill_nl != FILL_NOT_TOLD:
        found += of_fill(status, pending, parameters.fill_nl)
    return found


_ENDS: Final = {
    ProgramKind.STOPPED: "nothing will be delivered; stopping at once can bring withdrawal",
    ProgramKind.MINIMUM_RATE: "only the minimum rate, no therapy; it can bring withdrawal",
}


def _voided(status: Status) -> str:
    given, total = text.volume(status.bolus_given_nl), text.volume(status.bolus_total_nl)
    return (
        f"the bridge was stopped at {given} of {total}, and a program ends it there: the old "
        "solution that tubing and catheter still hold is then given at the program's rate; "
        "`resume` goes on with the bridge, or `bridge` follows"
    )


def _drugs(current: Therapy | None, pending: Therapy, device: DeviceInfo) -> Iterator[Caution]:
    """Yield what to say of drugs that no limit judges, because the table does not have them."""
    had = {drug.name for drug in current.drugs} if current else set()
    now = doses.daily_pg(pending, device)
    then = doses.daily_pg(current, device) if current else {}
    for drug in (drug for drug in pending.drugs if find(drug.name) is None):
        if drug.name not in had:
            close = closest(drug.name, DRUGS)
            words = f"{drug.name} is not in the drug table: no dose limit holds for it{close}"
            yield Caution(Warn.DRUG_UNKNOWN, words)
        elif current is not None and then[drug.name] and pending.program not in _QUIET:
            percent = (now[drug.name] / then[drug.name] - 1) * 100
            if percent > RISE_PERCENT or percent < -FALL_PERCENT:
                dose, before = text.mass(now[drug.name]), text.mass(then[drug.name])
                words = f"{drug.name} from {before}/day to {dose}/day"
                yield Caution(Warn.DOSE_CHANGE, words)


def _catheter(current: Therapy | None, pending: Therapy) -> Iterator[Caution]:
    length_um, per_cm = pending.catheter_um, pending.catheter_pl_cm
    if not length_um or (current and (current.catheter_um, current.catheter_pl_cm) == (
        length_um, per_cm
    )):  # fmt: skip
        return
    if not CATHETER_UM[0] <= length_um <= CATHETER_UM[1]:
        length = text.decimal(Fraction(length_um, 10**4))
        words = f"{length} cm is no usual length; was it given in another unit?"
        yield Caution(Warn.CATHETER_IMPLAUSIBLE, words)
    if not CATHETER_PL_CM[0] <= per_cm <= CATHETER_PL_CM[1]:
        volume = text.millilitres(Fraction(per_cm, 1000))
        yield Caution(Warn.CATHETER_IMPLAUSIBLE, f"{volume}/cm is no usual volume")


def _alarm(current: Therapy | None, pending: Therapy, device: DeviceInfo) -> Iterator[Caution]:
    low_nl = pending.low_reservoir_nl
    if current is not None and current.low_reservoir_nl == low_nl:
        return
    if not ALARM_MIN_NL <= low_nl <= device.capacity_nl // ALARM_PART:
        words = f"the alarm at {text.millilitres(low_nl)} leaves too little time, or comes too soon"
        yield Caution(Warn.ALARM_VOLUME, words)


def _stability(current: Therapy | None, pending: Therapy) -> Iterator[Caution]:
    days = pending.stability_days
    if current is not None and (current.stability_days, current.drugs) == (days, pending.drugs):
        return
    for row in (find(drug.name) for drug in pending.drugs):
        if row is not None and row.stability_days and days > row.stability_days.value:
            words = f"{days} d; {row.name} keeps {row.stability_days.value} d by the drug table"
            yield Caution(Warn.STABILITY_LONG, words)


# --- what the patient may take ------------------------------------------------------------------


def _patient(current: Therapy | None, pending: Therapy, device: DeviceInfo) -> Iterator[str]:
    """Yield what looks mistyped in a permission that is new or changed."""
    patient = pending.patient
    if not patient.amount:
        return
    if 0 < patient.lockout_s < LOCKOUT_MIN_S:
        yield f"a lockout of {text.seconds(patient.lockout_s)} is very short"
    reach = DAY_S // patient.lockout_s + 1 if patient.lockout_s else patient.max_per_24h
    if patient.max_per_24h > reach:
        lockout = text.seconds(patient.lockout_s)
        yield f"{patient.max_per_24h} in 24 h cannot be reached with a lockout of {lockout}"
    program_pl = doses.basal_pl_h(pending, device) * 24
    one_pl = doses.volume_pl(pending, patient.basis, patient.amount)
    if program_pl and one_pl * BOLUS_PART > program_pl:
        yield f"one bolus is {_percent(one_pl, program_pl)} of what the program gives in a day"
    own_pl = daily.most_pl(pending, device.minimum_rate_pl_h) - daily.program_most_pl(
        pending, device.minimum_rate_pl_h
    )
    if program_pl and own_pl > program_pl:
        yield f"in 24 h the patient may take {_percent(own_pl, program_pl)} of the program's dose"
    if current is not None and current.patient.amount:
        yield from _patient_change(current, pending)


def _patient_change(current: Therapy, pending: Therapy) -> Iterator[str]:
    before, after = current.patient, pending.patient
    for name, was, now in (
        ("the dose", _bolus_pg(current), _bolus_pg(pending)),
        ("the lockout", Fraction(before.lockout_s), Fraction(after.lockout_s)),
        ("the number in 24 h", Fraction(before.max_per_24h), Fraction(after.max_per_24h)),
    ):
        if was and now and not was <= now * FACTOR <= was * FACTOR**2:
            yield f"{name} changes more than {FACTOR}-fold"


def _bolus_pg(therapy: Therapy) -> Fraction:
    volume_pl = doses.volume_pl(therapy, therapy.patient.basis, therapy.patient.amount)
    return doses.mass_pg(volume_pl, therapy.drugs[0].concentration_pg_ml)


def _window(current: Therapy | None, pending: Therapy, device: DeviceInfo) -> Iterator[Caution]:
    if current is not None and (current.window_nl, current.window_s) == (
        pending.window_nl, pending.window_s
    ):  # fmt: skip
        return
    program_pl = doses.basal_pl_h(pending, device) * Fraction(pending.window_s, 3600)
    if program_pl and pending.window_nl * 1000 > program_pl * FACTOR:
        percent = _percent(Fraction(pending.window_nl * 1000), program_pl)
        words = f"the window holds {percent} of what the program gives in it: hardly a limit"
        yield Caution(Warn.PATIENT_BOLUS, words)


# --- boluses and fills --------------------------------------------------------------------------


def of_bolus(parameters: BolusParameters, therapy: Therapy, device: DeviceInfo) -> list[Caution]:
    """Return what to say of a clinician's bolus before it is given."""
    found = []
    if parameters.basis is RateBasis.VOLUME_PL:
        found.append("it was asked for as a volume; check the dose that it holds")
    volume_pl = doses.volume_pl(therapy, parameters.basis, parameters.amount)
    program_pl = doses.basal_pl_h(therapy, device) * 24
    usual = program_pl <= volume_pl * BOLUS_LEAST and volume_pl * BOLUS_PART <= program_pl
    if program_pl and therapy.program not in _QUIET and not usual:
        found.append(f"it is {_percent(volume_pl, program_pl)} of what the program gives in a day")
    return [Caution(Warn.BOLUS_DOSE, words) for words in found]


def of_prime(
    kind: BolusKind, therapy: Therapy | None, status: Status, device: DeviceInfo
) -> list[Caution]:
    """Return what to say of a prime of what is full already: it is a bolus then."""
    if therapy is None or status.delivered_nl < doses.path_nl(therapy, device):
        return []
    drug = therapy.drugs[0]
    whole = kind is BolusKind.PRIME
    volume_nl = doses.path_nl(therapy, device) if whole else doses.catheter_nl(therapy)
    dose = text.mass(doses.mass_pg(volume_nl * 1000, drug.concentration_pg_ml))
    words = (
        f"the pump has delivered {text.volume(status.delivered_nl)}: tubing and catheter are full, "
        f"unless they were changed, and priming gives {drug.name} {dose} at once"
    )
    return [Caution(Warn.PRIME_AGAIN, words)]


def of_fill(status: Status, therapy: Therapy | None, fill_nl: int) -> list[Caution]:
    """Return what to say of a volume that is said to be in the reservoir now."""
    found = []
    fill, before = text.millilitres(fill_nl), text.millilitres(status.fill_nl)
    if therapy is not None and fill_nl <= therapy.low_reservoir_nl:
        words = f"{fill} is not above the low-reservoir volume; was another unit meant?"
        found.append(Caution(Warn.FILL_VOLUME, words))
    elif status.fill_wall_s and abs(fill_nl - status.fill_nl) * FILL_PART > status.fill_nl:
        words = f"{fill} now, {before} at the last fill; is that what the syringe held?"
        found.append(Caution(Warn.FILL_VOLUME, words))
    since_s = status.wall_s - status.fill_wall_s
    if status.fill_wall_s and 0 <= since_s < DAY_S:
        when = text.seconds(since_s)
        words = f"the pump was told of a fill of {before} {when} ago; was this one told already?"
        found.append(Caution(Warn.REFILLED_AGAIN, words))
    return found


def of_refill(status: Status, therapy: Therapy | None, fill_nl: int) -> list[Caution]:
    """Return what to say of a refill before the pump is told of it."""
    found = of_fill(status, therapy, fill_nl)
    if status.mode is Mode.STOPPED and therapy is not None:
        kept = therapy.program is not ProgramKind.STOPPED
        starts = "`resume` does, or a new program" if kept else "it has no program; a new one does"
        words = f"a refill does not start the pump again: {starts}"
        found.append(Caution(Warn.STAYS_STOPPED, words))
    return found


def _percent(part_pl: Fraction, whole_pl: Fraction) -> str:
    return f"{text.decimal(part_pl * 100 / whole_pl, 1)} %"
