"""`trial`: a drug is tried by a plan before a pump is implanted.

    trial score 8              the baseline
    trial start plan.toml      the plan is checked whole, then the start dose programmed
    trial score 6              as often as wanted, with the dose in force
    trial step                 the next dose, when its time has come and nothing holds it back
    trial status               where it stands, and when the next step is due
    trial end --stop           the verdict, and a suggested starting prescription
    trial report               all of it, also as a page

Every dose goes the way of `program`. What is asked and what the pump then has is written down in
`tools.programmer.trial_record`; `tools.programmer.trial_visit` compares the two each time.
"""

import argparse
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import (
    FILL_NOT_TOLD,
    NO_PATIENT_BOLUS,
    NO_PERIODIC,
    DeviceInfo,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools.programmer import (
    doses,
    limits,
    program,
    transact,
    trial_course,
    trial_page,
    trial_plan,
    trial_prescription,
    trial_record,
    trial_text,
    trial_visit,
)
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.errors import BadInput, NotByPlan, Refused
from tools.programmer.journal import default_folder
from tools.programmer.transact import EXIT_OK, Action, Job, Values
from tools.programmer.trial_plan import Plan
from tools.programmer.trial_record import Asked, Done, Record, Score, Withdrawn
from tools.programmer.trial_visit import Visit
from tools.quantity import shown

NOTE_MAX: Final = 200
"""Longest note, characters."""
_NOTHING: Final = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)

Work = Callable[[Client, Console, Record, Visit], tuple[int, Values]]


def trial(args: argparse.Namespace) -> Job:
    """Return the job of `trial ACTION`."""
    return _ACTIONS[args.trial](args)


def _job(args: argparse.Namespace, work: Work) -> Job:
    """Return a job that holds the record, reads the pump, says what is new, and works."""
    folder: Path = args.state_dir or default_folder(os.environ)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        with trial_record.opened(folder, client.device().serial) as record:
            visit = trial_visit.visit(client, record)
            for line in trial_text.news(visit):
                console.say(line)
            return work(client, console, record, visit)

    return job


# --- scores -------------------------------------------------------------------------------------


def _score(args: argparse.Namespace) -> Job:
    score = _pain(args.score)
    note, side_effect = _words(args.note), _words(args.side_effect)

    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        entry = Score(visit.seen, score, visit.step, str(visit.dose_pg), note, side_effect)
        record.append(entry)
        after = _again(visit, record)
        console.say(trial_text.scored(entry, after))
        return EXIT_OK, trial_text.values(after)

    return _job(args, work)


def _pain(typed: str) -> int:
    if not typed.isascii() or not typed.isdecimal() or int(typed[:9]) > trial_plan.SCORE_MAX:
        most = trial_plan.SCORE_MAX
        raise BadInput(f"{shown(typed)}: a pain score is a whole number, 0 (none) to {most}")
    return int(typed)


def _words(typed: str) -> str:
    words = " ".join(typed.split())
    if len(words) > NOTE_MAX or not words.isprintable():
        raise BadInput(f"{shown(words)}: at most {NOTE_MAX} printable characters")
    return words


# --- doses --------------------------------------------------------------------------------------


def _start(args: argparse.Namespace) -> Job:
    plan = trial_plan.load(args.file)

    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        _check_start(visit)
        first = plan.parameters(1, visit.device)
        checked = _check_doses(plan, visit.therapy, visit.device, args.override)
        shown = "\n".join([trial_text.plan(plan, visit), *checked, "", ""])
        encoded, name = trial_visit.encoded(first.therapy), Path(args.file).name
        asked = Asked(visit.seen, 1, encoded, plan.source, name)
        return _give(client, console, record, asked, first, args.override, shown)

    return _job(args, work)


def _check_start(visit: Visit) -> None:
    """Raise BadInput where no trial can begin, and say what would be right."""
    course = visit.course
    if course.running:
        began = text.date_text(course.steps[0].began.wall_s)
        raise BadInput(f"a trial is running since {began}; `trial end` comes first")
    if course.outside is not None:
        raise BadInput(f"{course.outside.what}; `trial end --keep`, then a new baseline")
    if course.over or course.baseline is None:
        raise BadInput("no baseline: score the pain before the start first, e.g. `trial score 8`")
    if not course.baseline:
        raise BadInput(
            "the baseline is 0: without pain there is no relief to measure, so no trial; "
            "`trial end --keep` takes the baseline back"
        )


def _check_doses(
    plan: Plan, current: Therapy | None, device: DeviceInfo, override: bool
) -> list[str]:
    """Judge every dose of a plan by the limits; return those passed on purpose.

    Raises FileError, OutsideLimits.
    """
    said = []
    for number in range(1, len(plan.doses_pg) + 1):
        therapy = plan.parameters(number, device).therapy
        passed = limits.of_program(therapy, current, device)
        lines = limits.check(passed, therapy, override, f"step {number}: ")
        said += [f"step {number}: {line}" for line in lines]
        current = therapy
    return said


def _step(args: argparse.Namespace) -> Job:
    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        course, seen = visit.course, visit.seen
        if held := course.held(seen):
            raise NotByPlan(f"no step: {held}; nothing was changed")
        if wait_s := course.wait_s(seen):
            raise NotByPlan(f"no step: {trial_text.due(visit, wait_s)}; nothing was changed")
        assert course.plan is not None
        number = course.steps[-1].number + 1
        wanted = course.plan.parameters(number, visit.device)
        asked = Asked(seen, number, trial_visit.encoded(wanted.therapy))
        return _give(client, console, record, asked, wanted, args.override)

    return _job(args, work)


def _give(
    client: Client,
    console: Console,
    record: Record,
    asked: Asked,
    wanted: ProgramParameters,
    override: bool = False,
    preface: str = "",
) -> tuple[int, Values]:
    """Program what is wanted, and have in the record what the pump then has.

    `preface` is shown with the review.
    Cut off in between, the next command finds out from the pump.
    """
    record.append(asked)
    try:
        code, values = program.carry_out(client, console, wanted, override, preface=preface)
    except Refused:
        trial_visit.visit(client, record, first=False)
        raise
    visit = trial_visit.visit(client, record, first=False)
    if code == EXIT_OK and asked.step:
        console.say(trial_text.stepped(visit))
    return code, {**values, **trial_text.values(visit)}


# --- end and reports ----------------------------------------------------------------------------


def _end(args: argparse.Namespace) -> Job:
    file: Path | None = args.prescription
    _check_new(file)

    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        course = visit.course
        if course.over or not course.scores:
            raise BadInput("no trial to end")
        if not course.running:
            record.append(Withdrawn(visit.seen))
            console.say("no trial had begun: the baseline is taken back, the pump left alone")
            return EXIT_OK, trial_text.values(_again(visit, record))
        code, values = _leave(client, console, record, visit, args.program)
        if code != EXIT_OK:
            return code, values
        ended = _again(visit, record)
        console.say(trial_text.status(ended))
        return EXIT_OK, {**values, **trial_text.values(ended), **_written(console, ended, file)}

    return _job(args, work)


def _leave(
    client: Client, console: Console, record: Record, visit: Visit, kind: ProgramKind | None
) -> tuple[int, Values]:
    """Take the pump to where it is left, and write the end down."""
    if kind is None or visit.therapy is None:
        record.append(Asked(visit.seen, 0, ""))
        record.append(Done(visit.seen, late=False))
        return EXIT_OK, transact.reading(client, visit.status, visit.therapy)
    if kind is ProgramKind.MINIMUM_RATE:
        _check_minimum(visit, visit.therapy)
    therapy = dataclasses.replace(
        visit.therapy, program=kind, rate=_NOTHING, steps=(), periodic=NO_PERIODIC,
        patient=NO_PATIENT_BOLUS,
    )  # fmt: skip
    asked = Asked(visit.seen, 0, trial_visit.encoded(therapy))
    wanted = ProgramParameters(therapy, FILL_NOT_TOLD)
    return _give(client, console, record, asked, wanted)


def _check_minimum(visit: Visit, therapy: Therapy) -> None:
    """Refuse a minimum rate that is no less: what keeps a line open can be many times a dose."""
    drug = therapy.drugs[0]
    least_pg = doses.mass_pg(visit.device.minimum_rate_pl_h * 24, drug.concentration_pg_ml)
    if least_pg > doses.daily_pg(therapy, visit.device)[drug.name]:
        raise NotByPlan(
            f"the minimum rate of {visit.device.model} is {trial_text.day(least_pg)} of "
            f"{drug.name}, more than is prescribed; nothing was changed: --stop or --keep"
        )


def _status(args: argparse.Namespace) -> Job:
    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        if not console.as_json:
            console.say(trial_text.status(visit))
        return EXIT_OK, trial_text.values(visit)

    return _job(args, work)


def _report(args: argparse.Namespace) -> Job:
    page: Path | None = args.html
    file: Path | None = args.prescription
    _check_new(file)

    def work(client: Client, console: Console, record: Record, visit: Visit) -> tuple[int, Values]:
        if not visit.course.scores:
            raise BadInput("no trial to report on: it begins with `trial score`, the baseline")
        if page is not None:
            with _writing(page):
                page.write_text(trial_page.page(visit), encoding="utf-8")
        if not console.as_json:
            console.say(trial_text.report(visit))
            if page is not None:
                console.say(f"written: {page}")
        html = {"html": None if page is None else str(page)}
        return EXIT_OK, {**trial_text.values(visit), **html, **_written(console, visit, file)}

    return _job(args, work)


def _written(console: Console, visit: Visit, file: Path | None) -> Values:
    """Write the suggested prescription where one was asked for."""
    found = trial_prescription.text_of(visit)
    if file is None:
        return {"prescription": None}
    if found is None:
        console.say(f"not written: {file}: only a success suggests a starting prescription")
        return {"prescription": None}
    with _writing(file), file.open("x", encoding="utf-8") as out:
        out.write(found)
    console.say(f"written: {file}; it is refused until every FILL IN is filled in")
    return {"prescription": str(file)}


def _check_new(file: Path | None) -> None:
    """Refuse to write over a prescription before anything is changed."""
    if file is not None and file.exists():
        raise BadInput(f"{file}: exists; a prescription is not written over")
    if file is not None and not file.parent.is_dir():
        raise BadInput(f"{file}: there is no such folder")


@contextlib.contextmanager
def _writing(file: Path) -> Iterator[None]:
    """Turn a file system's exception into one line; the record has all that it would hold."""
    try:
        yield
    except OSError as error:
        why = f"{file}: cannot be written: {error.strerror}"
        raise BadInput(f"{why}; `trial report` writes it again") from None


def _again(visit: Visit, record: Record) -> Visit:
    """Return the visit with what the record says now."""
    return dataclasses.replace(visit, course=trial_course.latest(record.entries))


_ACTIONS: Final[dict[str, Action]] = {
    "start": _start,
    "score": _score,
    "step": _step,
    "status": _status,
    "end": _end,
    "report": _report,
}
