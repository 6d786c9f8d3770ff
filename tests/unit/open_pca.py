"""A pump with the numbers of the Open PCA requirements, and the hands of their published traces.

Basal 6 mL/h; boluses of 1 mL at 60 mL/h, on top of the basal; lockout 30 min from the end; at most
26.5 mL in any 240 min; low reservoir at 1 mL. Delivery starts at minute 60, times are in minutes of
the trace.
"""

from dataclasses import replace

from nurse import DRUG, MINUTE_US, Nurse, Refusals, therapy

from protocol.codes import (
    BolusKind,
    Code,
    LockoutFrom,
    RateBasis,
    RatePer,
    Role,
    TxnOp,
)
from protocol.errors import ErrorCode
from protocol.messages import BolusParameters, PatientBolus, Rate, TxnResult

START = 60
STROKE_NL = 1_000
ML = 1_000_000
WINDOW_NL = 26_500_000
WINDOW = 240
PATIENT = PatientBolus(RateBasis.VOLUME_PL, ML * 1000, 60, 1800, LockoutFrom.END, 0)


class Bed:
    """One pump that began to deliver at minute 60."""

    def __init__(
        self, fill_nl: int = 100 * ML, profile: str = "open-pca", low_nl: int = ML
    ) -> None:
        self.nurse = Nurse(profile, fill_nl=fill_nl)
        wanted = replace(
            therapy(Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 6 * ML * 1000), low_nl=low_nl),
            drugs=(DRUG,),
            patient=PATIENT,
            window_nl=WINDOW_NL,
            window_s=WINDOW * 60,
        )
        self.nurse.program(wanted, fill_nl)

    def until(self, minute: float) -> None:
        self.nurse.world.run_until(round((minute - START) * MINUTE_US))

    def request(self, minute: float) -> TxnResult | Refusals:
        """The patient presses the button."""
        self.until(minute)
        self.nurse.hello(Role.PATIENT)
        wanted = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)
        try:
            return self.nurse.do(TxnOp.BOLUS, wanted)
        except Refusals as refused:
            return refused

    def square(self, minute: float, minutes: int = 30) -> TxnResult | Refusals:
        """The clinician gives 1 mL over a time."""
        self.until(minute)
        self.nurse.hello()
        try:
            return self.nurse.bolus(ML, minutes * MINUTE_US, again=True)
        except Refusals as refused:
            return refused

    def stop(self, minute: float) -> None:
        """The clinician stops it."""
        self.until(minute)
        self.nurse.hello()
        self.nurse.stop()

    def resume(self, minute: float) -> None:
        """The clinician starts it again."""
        self.until(minute)
        self.nurse.hello()
        self.nurse.resume()

    def events(self, *codes: Code) -> list[tuple[Code, float, int]]:
        """(code, minute, first detail), to a second."""
        return [
            (record.code, round(START + record.tick_us / MINUTE_US, 2), record.a)
            for record in self.nurse.log
            if record.code in codes
        ]

    @property
    def boluses(self) -> list[tuple[Code, float, int]]:
        return self.events(Code.BOLUS_STARTED, Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY)

    def given_nl(self) -> int:
        return self.nurse.truth_delivered_nl


def refused(answer: TxnResult | Refusals) -> ErrorCode:
    assert isinstance(answer, Refusals)
    return answer.code
