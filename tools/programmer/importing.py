"""`import`: the prescription of one pump into another, as a replacement needs it.

The file is checked before a port is opened. Then this pump is read, told apart from the one in the
file, and programmed as `program` would: one reviewed transaction, limits on both sides, judged
against what this pump holds now. A scheduled change follows by its own, as with `program`.

What a file cannot know is not taken from it: the reservoir. Somebody has filled this pump, and says
with what volume; that is told in the same commit. Nothing of a dose under way, of lockouts or of
the 24 h count comes along either: they begin anew.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Final

from protocol.messages import (
    FILL_NOT_TOLD,
    DeviceInfo,
    ProgramParameters,
    Status,
    Therapy,
)
from tools import quantity
from tools.programmer import doses, export_file, limits, program, refill, review
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import BadInput
from tools.programmer.export_file import Export
from tools.programmer.review import Line
from tools.programmer.transact import EXIT_OK, WARNINGS, Job, Values, therapy_of
from tools.programmer.warnings import DAY_S, Caution, Warn, solution
from tools.quantity import QuantityError
from tools.therapy_table import AHEAD_MAX_S, misfits

OLD_S: Final = 2 * DAY_S
"""A replacement is one visit; what was read before may have been changed since (our default)."""
BEHIND_S: Final = 600
"""Two clocks set by hand may be this far apart (our default)."""
_HEAD: Final = Line("pump", "in the file", "this one")


def import_(args: argparse.Namespace) -> Job:
    """Return the job."""
    name: str = args.file
    found = export_file.load(name)
    therapy = found.therapy
    if therapy is None:
        raise BadInput(f"{name}: the pump that it was read from had no prescription")
    typed = None if args.fill is None else _volume(args.fill)
    override: bool = args.override

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, current = client.interrogate(), client.device(), therapy_of(client)
        console.say(_origin(found))
        wanted = list(_wanted(found, therapy, status))
        if typed is not None:
            wanted[0] = replace(wanted[0], fill_nl=typed)
        _check(name, wanted, current, status, device, override)
        if typed is None:
            wanted[0] = replace(wanted[0], fill_nl=_fill_nl(console, therapy, status, device))
        preface = f"{review.table(_beside(found, therapy, status, device), _HEAD)}\n\n"
        also = _cautions(found, therapy, status, device)
        values = Values()
        said: list[str] = []
        for parameters in wanted:
            code, values = program.carry_out(client, console, parameters, override, also, preface)
            said += values[WARNINGS]
            if code != EXIT_OK:
                break
            preface, also = "", []
        else:
            console.say(_what_next(therapy, device))
        values["from"] = _source(found)
        return code, {**values, WARNINGS: said}

    return job


# --- what is asked, and checked -----------------------------------------------------------------


def _wanted(found: Export, therapy: Therapy, status: Status) -> Iterator[ProgramParameters]:
    """Yield the prescription, and the scheduled change while its date is to come."""
    yield ProgramParameters(therapy, FILL_NOT_TOLD)
    at_wall_s = found.status.pending_wall_s
    if found.scheduled is not None and at_wall_s > status.wall_s:
        yield ProgramParameters(found.scheduled, FILL_NOT_TOLD, at_wall_s)


def _check(
    name: str,
    wanted: list[ProgramParameters],
    current: Therapy | None,
    status: Status,
    device: DeviceInfo,
    override: bool,
) -> None:
    """Refuse what this pump cannot do, all of it, before any of it is done.

    Raises BadInput, or OutsideLimits.
    """
    wrong = dict.fromkeys(message for one in wanted for _, message in misfits(one, device))
    for one in wanted:
        if one.at_wall_s > status.wall_s + AHEAD_MAX_S:
            wrong[f"scheduled_change: {text.date_text(one.at_wall_s)}: over 366 days ahead"] = None
    if wrong:
        raise BadInput(f"{name}: does not fit this pump, nothing was changed: {'; '.join(wrong)}")
    before = current
    for one in wanted:
        limits.check(limits.of_program(one.therapy, before, device), one.therapy, override)
        before = one.therapy


def _volume(entry: str) -> int:
    """Return the volume in a pump that has been filled. Raises QuantityError."""
    volume_nl = quantity.volume_nl(entry)
    if not volume_nl:
        raise QuantityError(f"{quantity.shown(entry)}: fill the pump first, then import")
    return volume_nl


def _fill_nl(console: Console, therapy: Therapy, status: Status, device: DeviceInfo) -> int:
    """Ask what this pump holds; FILL_NOT_TOLD: what it was told of stays. Raises BadInput."""
    told = bool(status.fill_wall_s and status.computed_nl)
    if not console.asks:
        if told:
            return FILL_NOT_TOLD
        raise BadInput("this pump was never told of a fill: give its volume, e.g. --fill 20mL")
    question = f"volume of {solution(therapy)} that was filled into this pump"
    if told:
        question += f" (Enter: {text.millilitres(status.computed_nl)}, as it was told)"
    fits = refill.fits(device)

    def read(entry: str) -> int:
        fits(entry)
        return _volume(entry)

    return refill.entered(console, question, read, FILL_NOT_TOLD if told else None)


# --- what is said -------------------------------------------------------------------------------


def _origin(found: Export) -> str:
    device, status = found.device, found.status
    stored = text.date_text(found.prescription.written_wall_s)
    return (
        f"from {device.serial} ({device.model}), read {text.date_text(status.wall_s)} by its clock "
        f"with itpump {found.itpump};\nits prescription was stored {stored}; no user name is kept"
    )


def _beside(found: Export, therapy: Therapy, status: Status, device: DeviceInfo) -> list[Line]:
    """Return what the two pumps are, side by side."""
    rows = [Line(name, show(found.device), show(device)) for name, show in _PUMP.items()]
    for drug in therapy.drugs:
        name = f"achievable {drug.name}"
        rows.append(Line(name, *(_achievable(therapy, one, drug.concentration_pg_ml)
                                 for one in (found.device, device))))  # fmt: skip
    clocks = (text.date_text(one.wall_s) for one in (found.status, status))
    return [*rows, Line("clock when read", *clocks)]


def _achievable(therapy: Therapy, device: DeviceInfo, concentration_pg_ml: int) -> str:
    volume_pl = doses.strokes_per_day(therapy, device) * device.stroke_pl
    return f"{text.mass(doses.mass_pg(volume_pl, concentration_pg_ml))}/day"


def _cautions(found: Export, therapy: Therapy, status: Status, device: DeviceInfo) -> list[Caution]:
    cautions = []
    age_s = status.wall_s - found.status.wall_s
    if device.serial == found.device.serial:
        said = "this is the pump that the file was read from"
        cautions.append(Caution(Warn.SAME_PUMP, said))
    if age_s >= OLD_S:
        said = f"the file was read {age_s // DAY_S} d before this pump's clock; is it the latest?"
        cautions.append(Caution(Warn.EXPORT_OLD, said))
    if age_s < -BEHIND_S:
        behind = text.seconds(-age_s)
        said = f"this pump's clock is {behind} behind the one in the file; schedules follow it"
        cautions.append(Caution(Warn.CLOCK_BEHIND, said))
    at_wall_s = found.status.pending_wall_s
    if found.scheduled is not None and at_wall_s <= status.wall_s:
        said = (
            f"the change scheduled for {text.date_text(at_wall_s)} is not imported, its date has "
            "passed; what is imported is the therapy before it"
        )
        cautions.append(Caution(Warn.CHANGE_PASSED, said))
    return cautions


def _what_next(therapy: Therapy, device: DeviceInfo) -> str:
    path = text.volume(doses.path_nl(therapy, device))
    return (
        "lockout and counts begin anew; a new pump's tubing holds no drug: `prime` gives the "
        f"path,\n{path}, and with it what the catheter still holds, unless that is taken out before"
    )


def _source(found: Export) -> Values:
    return {
        "serial": found.device.serial,
        "model": found.device.model,
        "read": text.date(found.status.wall_s),
        "itpump": found.itpump,
    }


_PUMP: Final[dict[str, Callable[[DeviceInfo], str]]] = {
    "serial": lambda d: d.serial,
    "model": lambda d: d.model,
    "firmware": lambda d: d.firmware,
    "stroke, calibrated": lambda d: text.volume(Fraction(d.stroke_pl, 1000)),
    "reservoir": lambda d: text.millilitres(d.capacity_nl),
    "lowest rate": lambda d: text.rate_day(d.flow_min_pl_h),
    "highest rate": lambda d: text.rate_day(d.flow_max_pl_h),
    "minimum rate": lambda d: text.rate_day(d.minimum_rate_pl_h),
    "largest bolus": lambda d: text.volume(d.bolus_max_nl),
    "tubing": lambda d: text.volume(d.tubing_nl),
    "accuracy": lambda d: f"±{text.decimal(d.accuracy_ppm * text.PERCENT_PER_PPM, 2)} %",
    "service life": lambda d: f"{d.service_days} d from {text.date_text(d.implanted_wall_s)}",
}
