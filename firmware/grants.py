"""May a dose begin, going by those before it: what the patient is granted, lockout, window.

The window is judged prospectively, as if the basal filled it: what boluses give within any window
that ends while the requested dose is given, and the most the program can give in a window, must
stay at or below the limit. A limit that is looked at only when it has been passed comes too late:
basal alone can then carry the volume over it. Judged are the windows that end with the dose, and
those before in which an earlier bolus is about to be left behind, because the volume can be higher
there than at the end.
"""

from typing import Final

from firmware.bolus import Bolus
from firmware.checks import BolusPlan, Refused
from firmware.daily import largest_pl
from firmware.doses import DoseHistory, Span
from firmware.path_checks import check_form
from firmware.program import Program
from protocol.codes import BolusKind
from protocol.errors import ErrorCode, LimitId
from protocol.messages import BolusParameters, Therapy

_US_PER_S: Final = 1_000_000


def granted(parameters: BolusParameters, therapy: Therapy) -> BolusParameters:
    """Return the parameters of a bolus with what the prescription says of it filled in.

    Raises Refused MALFORMED for a kind that cannot be asked for, or with a dose of its own where
    the prescription has it; DENIED where the patient is granted none.
    """
    if parameters.kind in (BolusKind.NONE, BolusKind.PERIODIC):
        raise Refused(ErrorCode.MALFORMED)
    if parameters.kind is not BolusKind.PATIENT:
        check_form(parameters)
        return parameters
    if parameters.amount or parameters.duration_us:
        raise Refused(ErrorCode.MALFORMED)
    patient = therapy.patient
    if not patient.amount:
        raise Refused(ErrorCode.DENIED)
    return BolusParameters(
        BolusKind.PATIENT, patient.basis, patient.amount, patient.over_s * _US_PER_S, 0
    )


def check_lockout(doses: DoseHistory, now_us: int) -> None:
    """Refuse with the whole seconds until a patient bolus may begin."""
    wait_us = doses.wait_us(now_us)
    if wait_us > 0:
        raise Refused(ErrorCode.LOCKOUT, 0, -(-wait_us // _US_PER_S), doses.patient.lockout_s)


def check_window(
    therapy: Therapy,
    basal: Program,
    doses: DoseHistory,
    plan: BolusPlan,
    stroke_pl: int,
    now_us: int,
    suspends: Bolus | None = None,
) -> None:
    """Refuse a dose with which more could be given in a window than the prescription allows."""
    if not therapy.window_nl:
        return
    window_us = therapy.window_s * _US_PER_S
    end_us = now_us + plan.duration_us
    planned = [Span(now_us, end_us, plan.strokes * stroke_pl)]
    running_pl = 0
    if suspends is not None:
        running_pl = suspends.given_pl
        left_us, left_pl = suspends.end_us - now_us, suspends.total_pl - running_pl
        planned.append(Span(end_us, end_us + left_us, left_pl))
    boluses_pl = doses.peak_pl(planned, now_us, window_us, running_pl)
    most_pl = boluses_pl + largest_pl(basal, window_us)
    if most_pl > therapy.window_nl * 1000:
        value_nl = -(-most_pl.numerator // (most_pl.denominator * 1000))
        raise Refused(ErrorCode.WINDOW_MAX, LimitId.WINDOW_NL, value_nl, therapy.window_nl)
