"""The real controller and its main loop on a board over a bad line, judged by the rotor."""

import dataclasses

import pytest
from nurse import STROKE_NL, therapy, volume_per_day
from serial_nurse import SerialNurse
from serial_rig import edited, lose

from emulator.profile import Profile
from protocol import board_messages
from protocol.board_messages import SILENCE_US, Report
from protocol.codes import BolusBasal, Code, Mode, StopReason, TxnOp, TxnState
from protocol.framing import Frame, FrameType
from protocol.messages import FILL_NOT_TOLD, ProgramParameters, Rate, TxnRef

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
FILL_NL = 40_000_000
FAST = volume_per_day(21_600_000)
"""A stroke each second."""
SLOW = volume_per_day(2_160_000)
"""A stroke every 10 s."""
BOLUS_NL = 100 * STROKE_NL


def programmed(
    rate: Rate = SLOW, seed: int = 1, basal: BolusBasal = BolusBasal.CONTINUE
) -> SerialNurse:
    """A pump that delivers."""
    nurse = SerialNurse(seed)
    nurse.program(therapy(rate, basal=basal), FILL_NL)
    return nurse


def boluses(nurse: SerialNurse) -> int:
    """Begin a bolus of 100 strokes in 110 s, let 10 s of it pass, return the strokes so far."""
    result = nurse.bolus(BOLUS_NL, 110 * SECOND_US)
    assert result.state is TxnState.DELIVERING
    nurse.run(10 * SECOND_US)
    return nurse.turned


def accounted(nurse: SerialNurse) -> int:
    """Strokes that the controller says have left the reservoir."""
    return (FILL_NL - nurse.status.computed_nl) // STROKE_NL


def same_account(nurse: SerialNurse) -> bool:
    """Stop, so that nothing is on its way, and compare."""
    nurse.stop()
    nurse.run(5 * SECOND_US)
    return accounted(nurse) == nurse.turned


def test_a_good_line_delivers_as_a_board_in_the_same_process() -> None:
    nurse = programmed(FAST)
    began = nurse.turned
    nurse.run(5 * MINUTE_US)
    assert abs(nurse.turned - began - 300) <= 1
    assert same_account(nurse)
    assert nurse.notes == []


@pytest.mark.parametrize("seed", range(3))
def test_minutes_of_noise_cost_no_stroke(seed: int) -> None:
    """BER 1e-4."""
    nurse = programmed(seed=seed)
    nurse.noise(100_000)
    start_us, began = nurse.world.now_us, nurse.turned
    boluses(nurse)
    nurse.run(5 * MINUTE_US)
    expected = 100 + (nurse.world.now_us - start_us) // (10 * SECOND_US)
    assert abs(nurse.turned - began - expected) <= 1
    assert nurse.notes == []
    assert nurse.pump.board.line.damaged > 100  # type: ignore[attr-defined]
    nurse.line.spoil()
    assert same_account(nurse)
    assert nurse.alarms == {}


def test_stalls_of_200_ms_are_survived() -> None:
    nurse = programmed(FAST)
    began = nurse.turned
    chance = nurse.world.stream("stalls").getrandbits
    start_us = nurse.world.now_us
    for _ in range(300):
        nurse.line.stall(200_000)
        nurse.run(300_000 + chance(19))
    expected = (nurse.world.now_us - start_us) // SECOND_US
    assert nurse.notes == []
    assert abs(nurse.turned - began - expected) <= 1
    assert same_account(nurse)


def test_a_controller_that_hangs_stops_the_board_and_knows_it_afterwards() -> None:
    nurse = programmed()
    boluses(nurse)
    nurse.freeze(SILENCE_US)
    turned = nurse.turned
    nurse.freeze(10 * SECOND_US)
    assert nurse.turned <= turned + 1
    assert not nurse.board.supply.enabled
    turned = nurse.turned
    nurse.channel = 0
    nurse.run(100 * SECOND_US)
    assert [note.split(":")[0] for note in nurse.notes] == ["board lost", "board back"]
    assert Code.BOARD_LINK_LOST in nurse.alarms
    assert Code.BOLUS_ENDED_EARLY in nurse.codes
    assert abs(nurse.turned - turned - 10) <= 1  # basal alone
    assert nurse.status.mode is Mode.BASAL
    assert same_account(nurse)


@pytest.mark.parametrize("seconds", [1, 3, 30])
def test_a_cable_pulled_during_a_bolus_costs_no_stroke_of_the_account(seconds: int) -> None:
    nurse = programmed()
    boluses(nurse)
    nurse.line.spoil(lose, lose)
    nurse.world.timer(nurse.line.spoil).set(nurse.world.now_us + seconds * SECOND_US)
    nurse.channel = 0
    nurse.run((seconds + 10) * SECOND_US)
    assert Code.BOARD_LINK_LOST in nurse.alarms
    assert nurse.codes.count(Code.BOLUS_ENDED_EARLY) == 1
    assert same_account(nurse)


@pytest.mark.parametrize("rate", [SLOW, FAST])
@pytest.mark.parametrize("after_us", [10_000_000, 10_100_000, 10_500_000, 10_950_000, 11_000_001])
def test_a_board_that_lost_its_power_is_accounted_for_within_its_lookahead(
    rate: Rate, after_us: int
) -> None:
    """On the safe side: what was given to the board and not reported counts as delivered."""
    nurse = programmed(rate)
    nurse.run(after_us)
    lookahead_us = nurse.pump.board.motor.lookahead_us
    nurse.board.power_cut(2 * SECOND_US)
    nurse.channel = 0
    nurse.run(60 * SECOND_US)
    assert nurse.alarms == {Code.BOARD_LINK_LOST: False}
    nurse.stop()
    nurse.run(5 * SECOND_US)
    stroke_us = 1_000_000 if rate is FAST else 10_000_000
    assert 0 <= accounted(nurse) - nurse.turned <= max(1, lookahead_us // stroke_us)


def test_an_encoder_that_seems_to_stand_still_stops_the_bolus() -> None:
    """Within 8 strokes (P32)."""
    nurse = programmed()
    turned = boluses(nurse)
    frozen = nurse.pump.board.encoder.moved().value

    def freeze(frame: Frame) -> Frame:
        if frame.type is not FrameType.HAL_RSP:
            return frame
        message = board_messages.decode(frame.payload)
        if not isinstance(message, Report):
            return frame
        still = dataclasses.replace(message, moved=frozen)
        return frame._replace(payload=board_messages.encode(still))

    nurse.line.spoil(to_host=edited(freeze))
    nurse.run(9 * SECOND_US)
    assert 0 < nurse.turned - turned <= 8
    assert Code.MOTOR_STALL in nurse.alarms


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> tuple[int, int, list[int]]:
        nurse = programmed(FAST, 7)
        nurse.noise(100_000)
        nurse.run(MINUTE_US)
        return nurse.turned, nurse.world.now_us, [record.tick_us for record in nurse.log]

    assert run() == run()


def test_a_basal_that_paused_for_the_bolus_goes_on_when_that_was_cut_short() -> None:
    nurse = programmed(basal=BolusBasal.PAUSE)
    boluses(nurse)
    nurse.freeze(2 * SECOND_US)
    turned = nurse.turned
    nurse.run(200 * SECOND_US)
    assert abs(nurse.turned - turned - 20) <= 1


@pytest.mark.parametrize("seed", range(4))
def test_controllers_that_hang_or_die_at_any_instant_leave_the_account_exact(seed: int) -> None:
    """25 times each: for less than the dead-man's time or for more."""
    nurse = programmed(FAST, seed)
    chance = nurse.world.stream("instants").getrandbits
    for _ in range(25):
        nurse.run(chance(22))
        nurse.freeze(chance(20) * 2)
        if chance(1):
            nurse.pump.attach()  # type: ignore[attr-defined]
        nurse.run(3 * SECOND_US)
        assert nurse.turned - accounted(nurse) in (0, 1)  # one may have ended since the last report
    nurse.channel = 0
    assert same_account(nurse)


@pytest.mark.parametrize(
    ("basal", "stroke_us"), [(BolusBasal.CONTINUE, SECOND_US), (BolusBasal.PAUSE, 900_000)]
)
def test_a_bolus_at_the_highest_rate_is_given_whole_though_each_batch_begins_late(
    basal: BolusBasal, stroke_us: int
) -> None:
    """At 1 mL/h a stroke is due every 0.9 s; nine in ten the bolus's if the basal goes on."""
    nurse = programmed(basal=basal)
    strokes = 300
    result = nurse.bolus(strokes * STROKE_NL, 0)
    before = accounted(nurse)
    nurse.run(strokes * stroke_us + SECOND_US // 10)
    done = nurse.query(result.txn)
    assert (done.state, done.given_nl) == (TxnState.DONE, strokes * STROKE_NL)
    due = strokes + (strokes // 10 if basal is BolusBasal.CONTINUE else 0)
    assert abs(accounted(nurse) - before - due) <= 2
    assert same_account(nurse)


def test_the_legacy_update_stops_and_starts_a_board_on_a_line() -> None:
    nurse = SerialNurse(profile=Profile.load("rotor-40-legacy"))
    nurse.program(therapy(SLOW), FILL_NL)
    wanted = ProgramParameters(therapy(FAST), FILL_NOT_TOLD)
    nurse.run(10 * SECOND_US)
    declined = nurse.prepare(TxnOp.PROGRAM, wanted)
    assert nurse.status.stop_reason is StopReason.SESSION_INCOMPLETE
    nurse.ask("ABORT", TxnRef(declined.txn))
    assert nurse.status.mode is Mode.BASAL
    staged = nurse.prepare(TxnOp.PROGRAM, wanted)
    before = nurse.turned
    nurse.run(MINUTE_US)
    assert nurse.turned == before
    nurse.hello()
    again = nurse.prepare(TxnOp.PROGRAM, wanted)
    assert again.txn != staged.txn
    nurse.commit(again)
    nurse.run(MINUTE_US)
    assert nurse.status.mode is Mode.BASAL
    assert abs(nurse.turned - before - 60) <= 1
