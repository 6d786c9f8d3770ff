"""What a pump says of itself, for a nurse and for a program.

`report` gives the status as lines that can be read at a bedside, `headline` the gist of it. For
programs the same stands in `tools.pump_measures`.
"""

from fractions import Fraction
from typing import Any, Final

from protocol.codes import BolusKind, Mode, ProgramKind, StopReason
from protocol.errors import ErrorCode
from protocol.messages import AlarmEntry, DeviceInfo, Status, Therapy
from tools.programmer import doses, sensed
from tools.programmer import format as text

_MODES: Final = {
    Mode.SHELF: "shelf mode, nothing is delivered",
    Mode.SELF_TEST: "self-test",
    Mode.STOPPED: "STOPPED, nothing is delivered",
    Mode.BASAL: "delivering basal",
    Mode.MINIMUM_RATE: "delivering at minimum rate",
    Mode.BOLUS: "delivering a bolus",
    Mode.BRIDGE: "delivering a bridging bolus",
    Mode.PRIME: "priming",
    Mode.STALLED: "MOTOR STALLED, nothing is delivered",
    Mode.SAFE_STATE: "SAFE STATE, nothing is delivered",
    Mode.END_OF_SERVICE: "END OF SERVICE, nothing is delivered",
}
_STEADY: Final = (Mode.BASAL, Mode.MINIMUM_RATE)
"""Modes whose rate now is a dose per day."""
_VARYING: Final = (ProgramKind.FLEX, ProgramKind.PERIODIC)
"""Programs that give more at one time than at another."""
_STOP_REASONS: Final = {
    StopReason.NO_PROGRAM: "no therapy has been programmed",
    StopReason.COMMANDED: "by command",
    StopReason.EMPTY_RESERVOIR: "the reservoir is empty",
    StopReason.SESSION_INCOMPLETE: "a programming session was not finished",
    StopReason.EOS: "end of service",
    StopReason.MOTOR_STALL: "the motor does not turn",
    StopReason.OVER_DELIVERY: "the board's rate guard refused strokes",
    StopReason.MEMORY_ERROR: "a stored record failed its check",
}


def report(status: Status, device: DeviceInfo, therapy: Therapy | None) -> str:
    """Return the status as lines for a person, at most 100 columns."""
    found = rows(status, device, therapy)
    return "\n".join(f"{name:<13} {value}" for name, value in found)


def rows(status: Status, device: DeviceInfo, therapy: Therapy | None) -> list[tuple[str, str]]:
    """Return the status as (name, value); a name of "" goes on with the one before."""
    return [
        ("Pump", f"{device.serial}, {device.model}, firmware {device.firmware}"),
        ("Pump clock", f"{_date(status.wall_s)}, up {text.duration(status.uptime_us)}"),
        ("Mode", _mode(status)),
        ("Rate", text.rate(doses.rate_now_pl_h(status))),
        *_therapy(status, device, therapy),
        ("Last bolus", _bolus(status)),
        *_patient(status, therapy),
        *_reservoir(status, device, therapy),
        ("Battery", _battery(status)),
        *_alarms(status.alarms),
        ("Last refusal", _refusal(status.last_refusal)),
    ]


def headline(status: Status, therapy: Therapy | None) -> str:
    """Return what the pump does now, in one line."""
    rate_pl_h = doses.rate_now_pl_h(status)
    if not rate_pl_h:
        return _mode(status)
    line = f"{_mode(status)}, {text.rate(rate_pl_h)}"
    if therapy is None or status.mode not in _STEADY:
        return line
    drug = therapy.drugs[0]
    daily_pg = doses.mass_pg(rate_pl_h * 24, drug.concentration_pg_ml)
    return f"{line}, {drug.name} {text.mass(daily_pg)}/day"


def device_values(device: DeviceInfo) -> dict[str, Any]:
    """Return what the pump is, for `--json`."""
    return {
        "model": device.model,
        "serial": device.serial,
        "firmware": device.firmware,
        "stroke_nl": text.number(Fraction(device.stroke_pl, 1000)),
        "capacity_nl": device.capacity_nl,
        "implanted": text.date(device.implanted_wall_s),
    }


def _word(value: Mode | ProgramKind | BolusKind) -> str:
    return value.name.lower()


def _date(wall_s: int) -> str:
    return text.date_text(wall_s)


def _mode(status: Status) -> str:
    reason = _STOP_REASONS.get(status.stop_reason)
    return f"{_MODES[status.mode]}" + (f": {reason}" if reason else "")


def _therapy(status: Status, device: DeviceInfo, therapy: Therapy | None) -> list[tuple[str, str]]:
    if therapy is None:
        return [("Therapy", "none programmed")]
    rows = [("Therapy", _word(status.program).replace("_", " "))]
    if status.pending_wall_s:
        rows.append(("", f"a scheduled change takes over {_date(status.pending_wall_s)}"))
    mean = " on the mean" if therapy.program in _VARYING else ""
    daily_pg = doses.daily_pg(therapy, device)
    for drug in therapy.drugs:
        dose = text.mass(daily_pg[drug.name])
        concentration = text.concentration(drug.concentration_pg_ml)
        rows.append(("Drug", f"{drug.name} {concentration}, prescribed {dose}/day{mean}"))
    return rows


def _bolus(status: Status) -> str:
    if not status.bolus_total_nl:
        return "none since the last restart"
    given, total = text.volume(status.bolus_given_nl), text.volume(status.bolus_total_nl)
    goes_on = "goes on with `resume`" if status.mode is Mode.STOPPED else "running"
    state = f"{_word(status.bolus)}, {goes_on}" if status.bolus else "ended"
    return f"{given} of {total} given, {state}"


def _patient(status: Status, therapy: Therapy | None) -> list[tuple[str, str]]:
    if therapy is None or not therapy.patient.amount:
        return []
    most = therapy.patient.max_per_24h
    taken = f"{status.boluses_24h} of {most}" if most else f"{status.boluses_24h}"
    wait = f"locked for {text.seconds(status.lockout_s)}" if status.lockout_s else "not locked"
    return [("Patient bolus", f"{taken} in the last 24 h, {wait}")]


def _reservoir(
    status: Status, device: DeviceInfo, therapy: Therapy | None
) -> list[tuple[str, str]]:
    low = f", low alarm at {text.millilitres(therapy.low_reservoir_nl)}" if therapy else ""
    filled = f"filled {_date(status.fill_wall_s)}" if status.fill_wall_s else "never filled"
    volume = f"{text.millilitres(status.computed_nl)} of {text.millilitres(device.capacity_nl)}"
    rows = [("Reservoir", f"{volume}, {filled}{low}")]
    if shown := sensed.volume(status):
        rows.append(("", shown))
    if status.uncertain_nl:
        rows.append(("", f"of what left it, {text.volume(status.uncertain_nl)} is unconfirmed"))
    return [*rows, ("Refill due", f"{_date(status.refill_due_wall_s)} at the present rate")]


def _battery(status: Status) -> str:
    when = f"reached {_date(status.eri_wall_s)}" if status.eri else f"by {_date(status.eri_wall_s)}"
    return (
        f"{status.battery_mv} mV, replacement indicator {when}, "
        f"end of service by {_date(status.eos_wall_s)}"
    )


def _alarms(alarms: tuple[AlarmEntry, ...]) -> list[tuple[str, str]]:
    if not alarms:
        return [("Alarms", "none")]
    return [
        (
            "" if number else "ALARMS",
            f"{alarm.code.name} since {_date(alarm.onset_wall_s)}"
            f"{'' if alarm.active else ', its cause is over'}",
        )
        for number, alarm in enumerate(alarms)
    ]


def _refusal(code: ErrorCode) -> str:
    return "none" if code is ErrorCode.OK else code.name
