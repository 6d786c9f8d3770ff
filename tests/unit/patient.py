"""A pump whose patient may press a button: the grant of worked case 6."""

from dataclasses import replace
from typing import Any

import pytest
from nurse import MINUTE_US, Nurse, Refusals, therapy

from protocol.codes import BolusKind, LockoutFrom, RateBasis, Role, TxnOp
from protocol.errors import ErrorCode
from protocol.messages import BolusParameters, PatientBolus, TxnResult

HOUR_US = 60 * MINUTE_US
CASE_6 = PatientBolus(RateBasis.MASS_PG, 20_000_000, 300, 7200, LockoutFrom.START, 4)
"""20 µg of 2000 µg/mL, 10 µL, over 5 min; lockout 120 min from the start, 4 per 24 h."""
DOSE_NL = 10_000
REQUEST = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)


class Patient(Nurse):
    """A pump whose patient may press a button."""

    def __init__(self, grant: PatientBolus = CASE_6, **over: Any) -> None:
        super().__init__()
        self.wanted = replace(therapy(), patient=grant, **over)
        self.program(self.wanted)

    def until(self, hour: int, minute: int, day: int = 0) -> None:
        """Wait for a wall-clock time; the pump starts at 09:00 of day 0."""
        wall_us = ((day * 24 + hour - 9) * 60 + minute) * MINUTE_US
        self.world.run_until(wall_us)

    def press(self) -> TxnResult:
        self.hello(Role.PATIENT)
        return self.do(TxnOp.BOLUS, REQUEST)

    def left_s(self) -> int:
        """Press within the lockout; return the seconds left that the refusal tells."""
        with pytest.raises(Refusals) as refused:
            self.press()
        assert refused.value.code is ErrorCode.LOCKOUT
        assert refused.value.refusal.value == self.status.lockout_s
        return refused.value.refusal.value


def ready(grant: PatientBolus = CASE_6, **over: Any) -> Patient:
    """A pump whose lockout after programming is over."""
    pump = Patient(grant, **over)
    pump.run(grant.lockout_s * 1_000_000)
    return pump


def refusal(pump: Patient, role: Role, op: TxnOp, body: Any, **over: Any) -> Refusals:
    pump.hello(role)
    delivered, codes = pump.truth_delivered_nl, len(pump.codes)
    with pytest.raises(Refusals) as refused:
        pump.prepare(op, body, **over)
    assert pump.truth_delivered_nl == delivered
    assert len(pump.codes) == codes + 1
    return refused.value
