"""What the patient's controller may do, and what it may not even see."""

from dataclasses import replace
from typing import Any

import pytest
from nurse import MINUTE_US, Refusals, bolus
from patient import DOSE_NL, HOUR_US, REQUEST, Patient, ready, refusal

from protocol.codes import BolusKind, Code, Mode, Role, TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.messages import Commit, Empty, ProgramParameters, RefillParameters, TxnRef


@pytest.mark.requirement("R-250")
def test_the_patient_has_no_other_transaction() -> None:
    pump = ready()
    for op, body in (
        (TxnOp.PROGRAM, ProgramParameters(pump.wanted, 0xFFFFFFFF)),
        (TxnOp.RESUME, Empty()),
        (TxnOp.REFILL, RefillParameters(1_000_000)),
        (TxnOp.BOLUS, bolus(DOSE_NL)),
        (TxnOp.BOLUS, replace(bolus(DOSE_NL), kind=BolusKind.LOADING)),
    ):
        assert refusal(pump, Role.PATIENT, op, body).code is ErrorCode.DENIED


def denied(pump: Patient, name: str, body: Any) -> None:
    with pytest.raises(Refusals) as refused:
        pump.ask(name, body)
    assert refused.value.code is ErrorCode.DENIED


def test_the_patient_sees_and_touches_only_his_own_transactions() -> None:
    pump = ready()
    pump.hello()
    staged = pump.prepare(TxnOp.BOLUS, bolus(DOSE_NL))
    pump.hello(Role.PATIENT)
    denied(pump, "COMMIT", Commit(staged.txn, staged.token, staged.hash))
    denied(pump, "QUERY", TxnRef(staged.txn))
    denied(pump, "ABORT", TxnRef(staged.txn))
    pump.hello()
    pump.commit(staged)
    pump.run(HOUR_US)
    pump.hello(Role.PATIENT)
    denied(pump, "COMMIT", Commit(staged.txn, staged.token, staged.hash))
    denied(pump, "QUERY", TxnRef(staged.txn))
    own = pump.press()
    assert pump.query(own.txn).state is TxnState.DELIVERING
    assert pump.query(4711).state is TxnState.UNKNOWN


def test_what_is_the_patients_is_known_after_a_reset() -> None:
    pump = ready()
    pump.hello()
    clinician = pump.bolus(DOSE_NL, 60_000_000)
    pump.run(2 * MINUTE_US)
    own = pump.press()
    pump.run(10 * MINUTE_US)
    pump.board.power_cut(1_000_000)
    pump.run(2_000_000)
    pump.hello(Role.PATIENT)
    assert pump.query(own.txn).state is TxnState.DONE
    denied(pump, "QUERY", TxnRef(clinician.txn))


def test_the_patient_may_abort_his_request() -> None:
    pump = ready()
    pump.hello(Role.PATIENT)
    staged = pump.prepare(TxnOp.BOLUS, REQUEST)
    assert pump.ask("ABORT", TxnRef(staged.txn)).state is TxnState.UNKNOWN
    with pytest.raises(Refusals):
        pump.commit(staged)
    assert Code.BOLUS_STARTED not in pump.codes


@pytest.mark.parametrize("may", [0, 1])
def test_the_patient_stops_the_pump_only_where_the_prescription_lets_him(may: int) -> None:
    pump = ready(patient_may_stop=may)
    pump.hello(Role.PATIENT)
    if may:
        assert pump.stop().mode is Mode.STOPPED
    else:
        denied(pump, "STOP", Empty())
        assert pump.status.mode is Mode.BASAL


def test_service_asks_for_no_bolus() -> None:
    pump = ready()
    assert refusal(pump, Role.SERVICE, TxnOp.BOLUS, REQUEST).code is ErrorCode.DENIED
