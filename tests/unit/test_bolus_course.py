"""How a bolus runs and what it leaves alone; who may have one, when. Judged by the plant."""

from dataclasses import replace

import pytest
from nurse import MINUTE_US, START_WALL_S, STROKE_NL, Nurse, Refusals, bolus, therapy
from patient import CASE_6, DOSE_NL, HOUR_US, REQUEST, Patient, ready, refusal
from week import CASE_5

from emulator.devices.motor import STROKE
from emulator.profile import Profile
from firmware import path
from firmware.flow import DAY_US
from hal.interfaces import ResetCause
from protocol import codec
from protocol.codes import BolusBasal, BolusKind, Code, Mode, RateBasis, Role, TxnOp
from protocol.errors import ErrorCode, LimitId
from protocol.messages import SetClockParameters


@pytest.mark.requirement("R-036")
@pytest.mark.requirement("R-249")
def test_boluses_leave_the_prescription_as_it_is() -> None:
    pump = ready(replace(CASE_6, lockout_s=0, max_per_24h=0))
    before = codec.encode(pump.ask("PRESCRIPTION"))
    for number in range(40):
        pump.press()
        pump.run(MINUTE_US)
        assert codec.encode(pump.ask("PRESCRIPTION")) == before
        if number % 4 == 0:
            pump.hello()
            pump.stop()
            pump.resume()
        pump.run(5 * MINUTE_US)
        assert codec.encode(pump.ask("PRESCRIPTION")) == before
    assert pump.status.boluses_24h == pump.codes.count(Code.BOLUS_STARTED) == 40
    assert pump.codes.count(Code.BOLUS_ENDED_EARLY) == 10


@pytest.mark.requirement("R-039")
def test_each_tenth_of_its_time_gives_a_tenth_of_its_volume() -> None:
    nurse = Nurse()
    nurse.program(therapy(basal=BolusBasal.PAUSE), 40_000_000)
    nurse.bolus(90_000, HOUR_US)
    for _ in range(10):
        before_nl = nurse.truth_delivered_nl
        nurse.run(HOUR_US // 10)
        assert abs(nurse.truth_delivered_nl - before_nl - 9_000) <= STROKE_NL


@pytest.mark.requirement("R-041")
@pytest.mark.requirement("R-213")
def test_a_bolus_lasts_at_most_24_hours() -> None:
    nurse = Nurse()
    nurse.program(therapy(), 40_000_000)
    assert nurse.prepare(TxnOp.BOLUS, bolus(100_000, DAY_US)).duration_us == DAY_US
    with pytest.raises(Refusals) as refused:
        nurse.prepare(TxnOp.BOLUS, bolus(100_000, DAY_US + 1))
    assert refused.value.refusal.id == LimitId.BOLUS_DURATION_S


@pytest.mark.requirement("R-048")
def test_a_granted_request_flows_at_once() -> None:
    pump = ready()
    pump.press()
    assert (pump.status.mode, pump.status.bolus) == (Mode.BOLUS, BolusKind.PATIENT)
    before_nl = pump.truth_delivered_nl
    pump.run(5 * MINUTE_US * STROKE_NL // DOSE_NL)
    assert pump.truth_delivered_nl - before_nl >= STROKE_NL


@pytest.mark.requirement("R-057")
@pytest.mark.parametrize(
    ("tubing_nl", "prime_pl"), [(140_000, 319_300_000), (199_000, 378_300_000)]
)
def test_another_tubing_volume_is_another_prime(tubing_nl: int, prime_pl: int) -> None:
    """0.199 mL was once shown for 0.140, and primes were too large."""
    config = replace(Profile.load("rotor-40").device, tubing_nl=tubing_nl)
    assert path.prime_pl(BolusKind.PRIME, therapy(), config) == prime_pl


@pytest.mark.requirement("R-028")
@pytest.mark.requirement("R-248")
@pytest.mark.parametrize(
    ("over", "limit"),
    [
        ({"amount": 2_000_000_001}, LimitId.BOLUS_VOLUME_NL),
        ({"amount": 249_999}, LimitId.BOLUS_VOLUME_NL),
        ({"amount": 20_000_000, "over_s": 71}, LimitId.FLOW_MAX_PL_H),
    ],
)
def test_a_grant_beyond_what_the_pump_can_give_is_refused(
    over: dict[str, int], limit: LimitId
) -> None:
    grant = replace(CASE_6, basis=RateBasis.VOLUME_PL, amount=10_000_000)
    pump = Patient(grant)
    with pytest.raises(Refusals) as refused:
        pump.program(replace(pump.wanted, patient=replace(grant, **over)))
    assert (refused.value.code, refused.value.refusal.id) == (ErrorCode.LIMIT_HARD, limit)
    assert pump.ask("PRESCRIPTION").therapy.patient == grant


# --- requests that change nothing ---------------------------------------------------------------


@pytest.mark.requirement("R-046")
@pytest.mark.requirement("R-050")
@pytest.mark.parametrize("role", [Role.PATIENT, Role.CLINICIAN])
def test_during_an_alarm_patient_and_clinician_are_refused_alike(role: Role) -> None:
    pump = ready()
    pump.board.reset(ResetCause.LINK_LOST)
    pump.run(2 * HOUR_US + 2_000_000)  # a reset within the lockout restarts it
    assert pump.alarms == {Code.BOARD_LINK_LOST: False}
    wanted = REQUEST if role is Role.PATIENT else bolus(DOSE_NL)
    refused = refusal(pump, role, TxnOp.BOLUS, wanted)
    assert (refused.code, refused.refusal.value) == (ErrorCode.STATE, Code.BOARD_LINK_LOST)
    assert (pump.log[-1].code, pump.log[-1].a) == (Code.BOLUS_REFUSED, ErrorCode.STATE)
    assert (pump.status.mode, pump.status.bolus) == (Mode.BASAL, BolusKind.NONE)


@pytest.mark.requirement("R-046")
def test_a_request_while_one_runs_leaves_it_running() -> None:
    pump = ready(replace(CASE_6, lockout_s=0, max_per_24h=0))
    before_nl = pump.truth_delivered_nl
    pump.press()
    pump.run(2 * MINUTE_US)
    refused = refusal(pump, Role.PATIENT, TxnOp.BOLUS, REQUEST)
    assert refused.code is ErrorCode.BUSY_DELIVERING
    assert pump.status.bolus is BolusKind.PATIENT
    pump.run(HOUR_US - 2 * MINUTE_US)
    assert pump.codes.count(Code.BOLUS_DONE) == 1
    assert abs(pump.truth_delivered_nl - before_nl - DOSE_NL - 6_250) <= STROKE_NL


@pytest.mark.requirement("R-047")
def test_without_a_request_no_patient_bolus_is_ever_given() -> None:
    pump = ready()
    stream = pump.world.stream("a month of everything else")
    singles = 0
    for _ in range(60):
        pump.run(1 + stream.getrandbits(36))  # up to 19 h
        pump.hello(Role.PATIENT)
        pump.ask("STATUS")
        happens = stream.getrandbits(8) % 5
        pump.hello()
        if happens == 0:
            pump.bolus(DOSE_NL, 5 * MINUTE_US, again=True)
            singles += 1
            pump.run(5 * MINUTE_US + 2_000)
        elif happens == 1:
            pump.stop()
            pump.resume()
        elif happens == 2:
            pump.board.reset(ResetCause.WATCHDOG)
        elif happens == 3:
            pump.board.power_cut(HOUR_US)
            pump.run(HOUR_US)
        else:
            pump.program(pump.wanted)
    kinds = [record.b for record in pump.log if record.code is Code.BOLUS_STARTED]
    assert kinds == [BolusKind.SINGLE] * singles
    assert singles > 5
    assert pump.status.boluses_24h == 0


def test_nothing_of_a_bolus_that_was_cut_short_flows_while_its_last_stroke_ends() -> None:
    """The battery fails in a stroke, and the clock is set before it ends: the flow is judged."""
    nurse = Nurse()
    nurse.program(CASE_5, 40_000_000)
    nurse.bolus(100_000, 20 * MINUTE_US)
    nurse.run(MINUTE_US)
    while not 0 < nurse.board.motor.motion.driven_at(nurse.world.now_us) % STROKE < STROKE // 2:
        nurse.run(10_000)
    nurse.board.faults.inject("battery.drain", {"percent": 98}, None)
    nurse.run(0)
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert nurse.status.bolus is BolusKind.SINGLE
    nurse.do(TxnOp.SET_CLOCK, SetClockParameters(START_WALL_S + 1800))
    nurse.run(MINUTE_US)
    assert nurse.status.bolus is BolusKind.NONE
    before_nl = nurse.truth_delivered_nl
    nurse.run(4 * HOUR_US)
    assert abs(nurse.truth_delivered_nl - before_nl - 1_000) <= STROKE_NL
