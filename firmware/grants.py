"""May a dose begin, going by those before it: what the patient is granted, and his lockout.

The third of its kind, the windowed maximum, is `window`.
"""

from typing import Final

from firmware.checks import Refused
from firmware.doses import DoseHistory
from firmware.path_checks import check_form
from protocol.codes import BolusKind
from protocol.errors import ErrorCode
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
