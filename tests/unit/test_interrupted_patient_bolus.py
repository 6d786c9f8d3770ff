"""Power fails around a patient's COMMIT, at every event: he never gets a second bolus for it."""

from dataclasses import replace

from nurse import MINUTE_US, STROKE_NL, Nurse, therapy
from patient import CASE_6, DOSE_NL, HOUR_US, REQUEST, ready

from hal.interfaces import ResetCause
from protocol.codes import Code, Role, TxnOp, TxnState
from protocol.messages import Commit

_OVER = (TxnState.UNKNOWN, TxnState.ENDED_EARLY)


def test_a_reset_at_any_event_of_the_commit_leaves_it_undone_or_counted() -> None:
    undone = counted = 0
    for cut in (True, False):
        for events in range(80):
            pump = ready()
            pump.hello(Role.PATIENT)
            staged = pump.prepare(TxnOp.BOLUS, REQUEST)
            before = pump.truth_delivered_nl
            pump.send("COMMIT", Commit(staged.txn, staged.token, staged.hash))
            done = pump.world.run_some(pump.world.now_us + MINUTE_US, events)
            if cut:
                pump.board.power_cut(1000)
                pump.run(2000)
            else:
                pump.board.reset(ResetCause.WATCHDOG)
                pump.run(0)
            pump.hello(Role.PATIENT)
            result = pump.query(staged.txn)
            assert result.state in _OVER
            given_nl = pump.truth_delivered_nl - before
            if pump.status.boluses_24h:
                assert pump.status.lockout_s == CASE_6.lockout_s
                counted += 1
            else:
                # Nobody saw it begin: then nothing of it was given.
                assert result.given_nl == 0
                assert given_nl <= STROKE_NL
                undone += 1
            if result.state is TxnState.ENDED_EARLY:
                assert given_nl <= result.given_nl + STROKE_NL
            pump.run(HOUR_US)
            assert pump.truth_delivered_nl - before <= DOSE_NL + 6_250 + 2 * STROKE_NL
            if done:
                break
        assert done
    assert undone > 2
    assert counted > 2


def test_a_bolus_that_an_alarm_forestalls_ends_nothing_that_runs() -> None:
    """The alarm comes in the very wake of the COMMIT: the patient's has not begun."""
    nurse = Nurse("sensed-40")
    grant = replace(CASE_6, lockout_s=0, max_per_24h=0)
    nurse.program(replace(therapy(), patient=grant), 40_000_000)
    nurse.run(30 * MINUTE_US)
    single = nurse.bolus(60_000, 60 * MINUTE_US)
    sensor = nurse.board.reservoir_sensor
    assert sensor is not None
    sensor.bias_nl = -20_000_000
    nurse.run(30 * MINUTE_US - 1)
    nurse.hello(Role.PATIENT)
    preview = nurse.prepare(TxnOp.BOLUS, REQUEST)
    while nurse.world.now_us < HOUR_US:
        nurse.world.run_some(HOUR_US, 1)  # the hourly reading is due, and has not come yet
    nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
    nurse.run(0)
    assert list(nurse.alarms) == [Code.SENSOR_DISAGREE]
    nurse.hello()
    refused = nurse.query(preview.txn)
    assert (refused.state, refused.cause) == (TxnState.ENDED_EARLY, Code.SENSOR_DISAGREE)
    assert nurse.query(single.txn).state is TxnState.DELIVERING
    nurse.run(31 * MINUTE_US)
    over = (Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY)
    ends = [record.a for record in nurse.log if record.code in over]
    assert ends == [60_000]
    assert Code.BOLUS_REFUSED in nurse.codes
