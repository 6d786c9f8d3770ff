"""Alarms sound, stand, latch and end as the table says; the battery's life ends in order."""

import pytest
from nurse import MINUTE_US, START_WALL_S, STROKE_NL, Nurse, Refusals, therapy, volume_per_day

from firmware.alarms import ALARMS, Boluses, Priority
from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause, TonePattern
from protocol.codes import Code, Mode, StopReason

DAY_S = 86_400


def programmed(**plant: object) -> Nurse:
    nurse = Nurse(**plant)  # type: ignore[arg-type]
    nurse.program(therapy(), 40_000_000)
    return nurse


def tones(nurse: Nurse, pattern: TonePattern) -> int:
    return nurse.board.sounder.starts[pattern]


def test_low_reservoir_sounds_the_non_critical_tone_every_hour() -> None:
    nurse = programmed()
    nurse.run(21_888 * 10**9)
    assert nurse.board.sounder.active is TonePattern.NON_CRITICAL
    assert tones(nurse, TonePattern.NON_CRITICAL) == 1
    nurse.run(10 * HOUR_US)
    assert tones(nurse, TonePattern.NON_CRITICAL) == 11
    nurse.refill(40_000_000)
    assert nurse.board.sounder.active is None
    nurse.run(10 * HOUR_US)
    assert tones(nurse, TonePattern.NON_CRITICAL) == 11


@pytest.mark.requirement("R-121")
def test_only_the_highest_priority_sounds() -> None:
    nurse = programmed()
    nurse.run(270 * DAY_US)
    low = tones(nurse, TonePattern.NON_CRITICAL)
    critical = tones(nurse, TonePattern.CRITICAL)
    assert nurse.board.sounder.active is TonePattern.CRITICAL
    nurse.run(2 * HOUR_US)
    assert tones(nurse, TonePattern.NON_CRITICAL) == low
    assert tones(nurse, TonePattern.CRITICAL) == critical + 12


@pytest.mark.requirement("R-123")
def test_a_latched_alarm_ends_only_when_its_condition_is_false_and_it_is_cleared() -> None:
    nurse = programmed()
    nurse.board.faults.inject("magnet_field", {}, 2 * HOUR_US)
    nurse.run(HOUR_US)
    with pytest.raises(Refusals, match="STATE"):
        nurse.clear(Code.MOTOR_STALL)
    nurse.run(2 * HOUR_US)
    assert nurse.alarms == {Code.MOTOR_STALL: False}
    assert nurse.board.sounder.active is TonePattern.CRITICAL
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    assert nurse.alarms == {Code.MOTOR_STALL: False}
    nurse.hello()
    with pytest.raises(Refusals, match="STATE"):
        nurse.bolus(10_000)
    nurse.clear(Code.MOTOR_STALL)
    assert nurse.alarms == {}
    assert nurse.codes[-1] is Code.ALARM_CLEARED
    assert nurse.board.sounder.active is None
    nurse.bolus(10_000)


@pytest.mark.requirement("R-006")
def test_low_battery_falls_back_to_minimum_rate_and_keeps_the_program() -> None:
    nurse = programmed()
    nurse.run(DAY_US)
    before_nl = nurse.truth_delivered_nl
    nurse.board.faults.inject("battery.drain", {"percent": 98}, None)
    nurse.run(2 * DAY_US)
    assert nurse.alarms[Code.LOW_BATTERY_RESET]
    assert nurse.status.mode is Mode.MINIMUM_RATE
    assert abs(nurse.truth_delivered_nl - before_nl - 12_000) <= STROKE_NL
    assert nurse.status.program.name == "SIMPLE_CONTINUOUS"
    nurse.board.reset(ResetCause.LOW_VOLTAGE)
    nurse.run(DAY_US)
    assert nurse.status.mode is Mode.MINIMUM_RATE


@pytest.mark.requirement("R-051")
def test_low_battery_ends_a_running_bolus_early() -> None:
    nurse = programmed()
    nurse.bolus(100_000, 2 * HOUR_US)
    nurse.run(HOUR_US)
    nurse.board.faults.inject("battery.drain", {"percent": 99}, None)
    nurse.run(MINUTE_US)
    assert Code.BOLUS_ENDED_EARLY in nurse.codes
    assert nurse.status.mode is Mode.MINIMUM_RATE


@pytest.mark.requirement("R-152")
@pytest.mark.requirement("R-153")
def test_worked_case_11_eri_90_days_before_the_cap_then_end_of_service() -> None:
    # Implanted so that the 7-year cap falls 100 days from now.
    implanted = START_WALL_S - 2456 * DAY_S
    nurse = Nurse(implanted_wall_s=implanted)
    nurse.program(therapy(), 40_000_000)
    nurse.run(10 * DAY_US - 1)
    assert nurse.alarms == {}
    assert nurse.status.eos_wall_s == implanted + 2556 * DAY_S
    nurse.run(1)
    assert nurse.alarms == {Code.ERI: True}
    nurse.run(90 * DAY_US - 1)
    assert nurse.status.mode is Mode.BASAL
    nurse.run(2_000_000)
    assert nurse.status.mode is Mode.END_OF_SERVICE
    assert nurse.status.stop_reason is StopReason.EOS
    assert not nurse.board.supply.enabled
    given_nl = nurse.truth_delivered_nl
    assert abs(given_nl - 100 * 150_000) <= STROKE_NL
    for restart in (lambda: nurse.board.reset(ResetCause.WATCHDOG), lambda: nurse.run(DAY_US)):
        restart()
        nurse.run(DAY_US)
        assert nurse.truth_delivered_nl == given_nl
    nurse.hello()
    with pytest.raises(Refusals, match="STATE"):
        nurse.program()
    with pytest.raises(Refusals, match="STATE"):
        nurse.stop()


def test_a_clock_that_is_lost_brings_no_service_back_and_a_reset_says_nothing_new() -> None:
    nurse = Nurse(implanted_wall_s=START_WALL_S - 2555 * DAY_S)
    nurse.program(therapy(), 40_000_000)
    nurse.run(2 * DAY_US)
    assert nurse.status.mode is Mode.END_OF_SERVICE
    given_nl, said = nurse.truth_delivered_nl, len(nurse.log)
    for _ in range(3):
        nurse.board.reset(ResetCause.WATCHDOG)
        nurse.run(2 * HOUR_US)
    assert nurse.codes[said:] == [Code.RESET] * 3
    nurse.board.rtc.set_s(0)
    nurse.board.power_cut(1)
    nurse.run(2 * HOUR_US)
    assert nurse.status.mode is Mode.END_OF_SERVICE
    nurse.hello()
    with pytest.raises(Refusals, match="STATE"):
        nurse.resume()
    nurse.run(DAY_US)
    assert nurse.truth_delivered_nl == given_nl
    assert not nurse.board.supply.enabled


@pytest.mark.requirement("R-152")
def test_eri_by_voltage_starts_the_90_days() -> None:
    nurse = programmed()
    nurse.run(DAY_US)
    nurse.board.faults.inject("battery.drain", {"percent": 96}, None)
    nurse.run(2 * HOUR_US)
    status = nurse.status
    assert Code.ERI in nurse.alarms
    assert status.eos_wall_s == status.eri_wall_s + 90 * DAY_S
    assert status.eri_wall_s <= status.wall_s


def test_every_alarm_of_high_priority_refuses_boluses_and_only_low_ones_sound_softly() -> None:
    for code, alarm in ALARMS.items():
        assert code < 32
        if alarm.priority is Priority.HIGH:
            assert alarm.boluses is Boluses.REFUSED, code


@pytest.mark.requirement("R-055")
@pytest.mark.requirement("R-237")
def test_idle_session_ends_without_touching_the_delivery() -> None:
    nurse = programmed()
    channel = nurse.channel
    nurse.run(180_000_001)
    nurse.ask("STATUS")
    assert nurse.channel != channel
    nurse.run(DAY_US)
    assert abs(nurse.truth_delivered_nl - 150_187) <= STROKE_NL


def test_unusual_rates_stay_exact() -> None:
    nurse = Nurse()
    nurse.program(therapy(volume_per_day(123_457)), 40_000_000)
    nurse.run(100 * DAY_US)
    assert abs(nurse.truth_delivered_nl - 12_345_700) <= STROKE_NL


def test_a_service_life_that_the_wall_clock_cannot_show_ends_with_it() -> None:
    nurse = Nurse(implanted_wall_s=(1 << 32) - 10_000)
    assert nurse.ask("STATUS").eos_wall_s == (1 << 32) - 1
