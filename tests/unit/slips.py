"""Slips of an operator, as data: what was done, and what the pump alone makes of it.

Each stands on a pump that is prepared as its group says. `pump` is the pump's own answer when a
careless tool sends the slip all the same: the code of its refusal; KNOWS_NOT where only a person or
the tool can know; NEVER_SENT where it is not even something that a tool could send.
"""

from typing import Final, NamedTuple

KNOWS_NOT: Final = "takes it"
NEVER_SENT: Final = "cannot be sent"
HARD: Final = "LIMIT_HARD"
SOFT: Final = "LIMIT_SOFT"


class Slip(NamedTuple):
    """One slip."""

    name: str
    words: str
    """Of a command; or, in more than one line, a `[therapy]` table that is programmed."""
    pump: str


def therapy(lines: str) -> str:
    """Return a `[therapy]` table."""
    return f"[therapy]\n{lines}\n"


def drug(name: str, concentration: str) -> str:
    """Return the line of one drug."""
    return therapy(f'drugs = [{{ name = "{name}", concentration = "{concentration}" }}]')


def patient(dose: str = "10 ug", over: str = "2 min", lockout: str = "2 h", most: int = 4) -> str:
    """Return what the patient may take."""
    return therapy(
        f'patient_bolus = {{ dose = "{dose}", over = "{over}", lockout = "{lockout}", '
        f"max_per_24h = {most} }}"
    )


def steps(*pairs: tuple[str, str]) -> str:
    """Return a schedule."""
    inner = ", ".join(f'{{ from = "{at}", rate = "{rate}" }}' for at, rate in pairs)
    return therapy(f'mode = "flex"\nsteps = [{inner}]')


def days(*groups: str) -> str:
    """Return a schedule of groups of weekdays."""
    inner = ", ".join(
        f'{{ on = "{on}", steps = [{{ from = "00:00", rate = "12.5 ug/h" }}] }}' for on in groups
    )
    return therapy(f'mode = "flex"\ndays = [{inner}]')


def periodic(bolus: str = "10 ug", over: str = "5 min", every: str = "2 h") -> str:
    """Return boluses through the day: 10 ug every 2 h beside 180 ug/day are 300 ug/day."""
    return therapy(
        f'mode = "periodic"\nbackground = "180 ug/day"\nbolus = "{bolus}"\nover = "{over}"\n'
        f'every = "{every}"'
    )


def change(at: str, dose: str = "330 ug") -> str:
    """Return a scheduled change."""
    return therapy(f'scheduled_change = {{ at = {at}, therapy = {{ dose_per_day = "{dose}" }} }}')


def catheter(length: str = "81.5 cm", volume: str = "0.0022 mL/cm") -> str:
    """Return an implanted catheter."""
    return therapy(f'catheter = {{ length = "{length}", volume = "{volume}" }}')


RUNNING: Final = (
    Slip("ten times the dose", therapy('dose_per_day = "3000 ug"'), HARD),
    Slip("a tenth of the dose", therapy('dose_per_day = "30 ug"'), SOFT),
    Slip("mg for ug", therapy('dose_per_day = "300 mg"'), HARD),
    Slip("ng for ug", therapy('dose_per_day = "300 ng"'), HARD),
    Slip("a figure typed twice", therapy('dose_per_day = "3300 ug"'), HARD),
    Slip("figures exchanged, 900 for 300", therapy('dose_per_day = "900 ug"'), SOFT),
    Slip("per hour for per day", therapy('rate = "300 ug/h"'), HARD),
    Slip("mL for ug", therapy('dose_per_day = "300 mL"'), NEVER_SENT),
    Slip("a rate in mL/h for mL/day", therapy('rate = "0.6 mL/h"'), HARD),
    Slip("no unit", therapy("dose_per_day = 300"), NEVER_SENT),
    Slip("decimal comma", therapy('dose_per_day = "300,5 ug"'), NEVER_SENT),
    Slip("comma of thousands", therapy('dose_per_day = "1,000 ug"'), NEVER_SENT),
    Slip("a dose below 0", therapy('dose_per_day = "-300 ug"'), NEVER_SENT),
    Slip("no dose", therapy('dose_per_day = "0 ug"'), HARD),
    Slip("a key misspelled", therapy('dose_perday = "300 ug"'), NEVER_SENT),
    Slip("dose and rate", therapy('dose_per_day = "300 ug"\nrate = "0.6 mL/day"'), NEVER_SENT),
    Slip("stopped for continuous", therapy('mode = "stopped"'), KNOWS_NOT),
    Slip("minimum rate for continuous", therapy('mode = "minimum_rate"'), KNOWS_NOT),
    Slip("50 for 500 ug/mL", drug("baclofen", "50 ug/mL"), HARD),
    Slip("5000 for 500 ug/mL", drug("baclofen", "5000 ug/mL"), HARD),
    Slip("2000 for 500 ug/mL, not refilled", drug("baclofen", "2000 ug/mL"), KNOWS_NOT),
    Slip("mg/mL for ug/mL", drug("baclofen", "500 mg/mL"), HARD),
    Slip("a concentration without its volume", drug("baclofen", "500 ug"), NEVER_SENT),
    Slip("a drug's name misspelled", drug("balcofen", "500 ug/mL"), KNOWS_NOT),
    Slip("another drug", drug("morphine", "500 ug/mL"), KNOWS_NOT),
    Slip("a brand in capitals", drug("Lioresal", "500 ug/mL"), NEVER_SENT),
    Slip("an alarm at 20 for 2 mL", therapy('low_reservoir_alarm = "20 mL"'), KNOWS_NOT),
    Slip("an alarm at 2 uL for 2 mL", therapy('low_reservoir_alarm = "2 uL"'), KNOWS_NOT),
    Slip("an alarm above the reservoir", therapy('low_reservoir_alarm = "200 mL"'), HARD),
    Slip("good for 1800 for 180 days", therapy('stability = "1800d"'), KNOWS_NOT),
    Slip("catheter in mm for cm", catheter("81.5 mm"), KNOWS_NOT),
    Slip("catheter ten times as long", catheter("815 cm"), KNOWS_NOT),
    Slip("catheter volume ten times", catheter(volume="0.022 mL/cm"), KNOWS_NOT),
    Slip("patient: lockout in s for min", patient(lockout="120 s"), KNOWS_NOT),
    Slip("patient: lockout in h for min", patient(lockout="120 h"), KNOWS_NOT),
    Slip("patient: 40 for 4 in 24 h", patient(most=40), KNOWS_NOT),
    Slip("patient: ten times the dose", patient(dose="100 ug", over="20 min"), KNOWS_NOT),
    Slip("patient: a tenth of the dose", patient(dose="1 ug"), KNOWS_NOT),
    Slip("patient: mg for ug", patient(dose="10 mg", over="1 d"), HARD),
    Slip("patient: over 2 s for 2 min", patient(over="2 s"), HARD),
    Slip("a window of ten times the volume",
         therapy('window_limit = { volume = "8 mL", window = "24 h" }'), KNOWS_NOT),
    Slip("a window below the basal",
         therapy('window_limit = { volume = "80 uL", window = "24 h" }'), HARD),
    Slip("flex: ten times one step", steps(("00:00", "12.5 ug/h"), ("06:00", "125 ug/h")), HARD),
    Slip("flex: per day for per hour", steps(("00:00", "12 ug/day"), ("06:00", "13 ug/day")), HARD),
    Slip("flex: two steps at one time",
         steps(("06:00", "12 ug/h"), ("06:00", "13 ug/h")), NEVER_SENT),
    Slip("flex: a time that is none", steps(("24:00", "12 ug/h")), NEVER_SENT),
    Slip("flex: a weekday forgotten", days("mon-fri", "sun"), NEVER_SENT),
    Slip("flex: a weekday twice", days("mon-sat", "sat,sun"), NEVER_SENT),
    Slip("flex: a fourteenth step",
         steps(*((f"{hour:02}:00", "12.5 ug/h") for hour in range(14))), NEVER_SENT),
    Slip("periodic: ten times the bolus", periodic("100 ug", "30 min"), SOFT),
    Slip("periodic: every 2 min for 2 h", periodic(every="2 min", over="1 min"), HARD),
    Slip("periodic: over 5 s for 5 min", periodic(over="5 s"), HARD),
    Slip("periodic: longer than its interval", periodic(over="3 h"), HARD),
    Slip("scheduled in the past", change("2026-01-25T08:00:00"), HARD),
    Slip("scheduled in the wrong year", change("2028-01-27T08:00:00"), HARD),
    Slip("scheduled in the wrong month", change("2027-11-26T08:00:00"), KNOWS_NOT),
    Slip("scheduled at ten times the dose", change("2027-01-26T08:00:00", "3000 ug"), HARD),
    Slip("a fill of 40 for 20 mL", therapy('reservoir_fill = "40 mL"'), KNOWS_NOT),
    Slip("bolus: ten times", "bolus 200ug --over 50min", KNOWS_NOT),
    Slip("bolus: a tenth", "bolus 2ug --over 5min", KNOWS_NOT),
    Slip("bolus: mg for ug", "bolus 20mg --over 5h", HARD),
    Slip("bolus: uL for ug", "bolus 20uL --over 5min", KNOWS_NOT),
    Slip("bolus: mL for uL", "bolus 20mL --over 5h", HARD),
    Slip("bolus: over 5 s for 5 min", "bolus 20ug --over 5s", HARD),
    Slip("bolus: no unit", "bolus 20", NEVER_SENT),
    Slip("bolus: a decimal comma", "bolus 2,5ug", NEVER_SENT),
    Slip("prime of what is full", "prime", KNOWS_NOT),
    Slip("bridge without another solution", "bridge", "STATE"),
    Slip("clock a year ahead", "clock --to 2028-01-24T09:00:00", KNOWS_NOT),
    Slip("clock a year back", "clock --to 2026-01-24T09:00:00", HARD),
    Slip("clock beyond the pump's life", "clock --to 2037-01-24T09:00:00", HARD),
    Slip("clock: day and month exchanged", "clock --to 2027-12-01T09:00:00", KNOWS_NOT),
    Slip("clock: a day of the month for an hour", "clock --by=24d", KNOWS_NOT),
    Slip("refill: 40 for 20 mL", "refill 40mL --residual 8mL --same-drug", KNOWS_NOT),
    Slip("refill: 2 for 20 mL", "refill 2mL --residual 8mL --same-drug", KNOWS_NOT),
    Slip("refill: uL for mL", "refill 20uL --residual 8mL --same-drug", NEVER_SENT),
    Slip("refill: more than it holds", "refill 200mL --residual 8mL --same-drug", HARD),
    Slip("refill: the residual in uL", "refill 20mL --residual 8uL --same-drug", NEVER_SENT),
    Slip("refill: residual above the fill", "refill 20mL --residual 28mL --same-drug", KNOWS_NOT),
    Slip("refill: residual for injected", "refill 8mL --residual 20mL --same-drug", KNOWS_NOT),
    Slip("resume of what runs", "resume", "STATE"),
)  # fmt: skip
"""20 days after 20 mL were filled: baclofen 500 ug/mL, 300 ug/day, a patient bolus of 10 ug."""
NEW: Final = (
    Slip("first: 40 for 20 mL", therapy(
        'drugs = [{ name = "baclofen", concentration = "500 ug/mL" }]\n'
        'mode = "simple_continuous"\ndose_per_day = "300 ug"\nreservoir_fill = "40 mL"'
    ), KNOWS_NOT),
    Slip("first: ten times the dose", therapy(
        'drugs = [{ name = "morphine", concentration = "10 mg/mL" }]\n'
        'mode = "simple_continuous"\ndose_per_day = "10 mg"\nreservoir_fill = "20 mL"'
    ), KNOWS_NOT),
    Slip("first: the drug misspelled", therapy(
        'drugs = [{ name = "ziconotid", concentration = "25 ug/mL" }]\n'
        'mode = "simple_continuous"\ndose_per_day = "24 ug"\nreservoir_fill = "20 mL"'
    ), KNOWS_NOT),
    Slip("first: the drug forgotten", therapy('dose_per_day = "300 ug"'), NEVER_SENT),
    Slip("bolus before any program", "bolus 20uL", "STATE"),
)  # fmt: skip
"""A pump that nobody has programmed."""
FLEX: Final = (
    Slip("clock: 08:00 for 20:00", "clock --to 2027-01-04T20:00:00", KNOWS_NOT),
    Slip("clock: summer time the wrong way", "clock --by=-1h", KNOWS_NOT),
    Slip("flex: 60 for 6 ug/h", steps(("06:00", "10 ug/h"), ("18:00", "60 ug/h")), SOFT),
)
"""10 ug/h from 06:00, 20 ug/h from 18:00; it is 09:00."""
AGAIN: Final = (
    Slip("bolus: the same once more", "bolus 20ug --over 5min", "DUPLICATE_INTENT"),
    Slip("refill: the same once more", "refill 20mL --residual 20mL --same-drug", KNOWS_NOT),
    Slip("refill: the same, residual too", "refill 20mL --residual 8mL --same-drug", KNOWS_NOT),
)
"""A refill of 20 mL and a bolus of 20 ug were given just now."""
STOPPED: Final = (
    Slip("refill and no resume", "refill 20mL --residual 8mL --same-drug", KNOWS_NOT),
)
"""As RUNNING, but stopped."""
