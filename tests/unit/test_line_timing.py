"""What the line is like: round trips and clock offset, against the times that are true."""

import pytest
from serial_rig import SECOND_US, SerialRig

from emulator.board_line import DELAY_US
from hal.serial_board.timing import SAMPLES, LineTiming
from protocol.board_messages import TICK_INTERVAL_US, Tock
from protocol.errors import RemoteError


def _answered(timing: LineTiming, sent_us: int, rtt_us: int, offset_us: int) -> None:
    """One Tick whose Tock was made half-way."""
    tick = timing.tick(sent_us)
    timing.tock(Tock(tick.host_us, sent_us + rtt_us // 2 - offset_us), sent_us + rtt_us)


def test_an_even_line_gives_the_exact_offset() -> None:
    timing = LineTiming()
    _answered(timing, 1_000_000, 4_000, 777)
    assert timing.offset_us == 777
    assert timing.quality(0, 0)[:3] == (4_000, 4_000, 4_000)


def test_the_shortest_round_trip_is_believed() -> None:
    timing = LineTiming()
    for place, (rtt_us, offset_us) in enumerate(((9_000, 1), (3_000, 2), (200_000, 3))):
        _answered(timing, place * SECOND_US, rtt_us, offset_us)
    assert timing.offset_us == 2
    assert timing.quality(0, 0)[:3] == (3_000, 9_000, 200_000)


def test_clocks_that_drift_apart_are_followed() -> None:
    timing = LineTiming()
    for place in range(1, 10_000):
        _answered(timing, place * TICK_INTERVAL_US, 2_000, 5_000 + 10 * place)
        assert timing.offset_us <= 5_000 + 10 * place
        assert timing.offset_us > 5_000 + 10 * (place - SAMPLES)


def test_a_tick_is_due_every_100_ms() -> None:
    timing = LineTiming()
    timing.reset(5)
    assert timing.due_us == 5
    timing.tick(1_000)
    assert timing.due_us == 1_000 + TICK_INTERVAL_US


def test_a_tock_counts_once_and_only_for_a_tick_that_was_sent() -> None:
    timing = LineTiming()
    timing.reset(0)
    tick = timing.tick(1_000)
    timing.tock(Tock(999, 5), 2_000)
    assert (timing.measured, timing.heard_us) == (False, 0)
    timing.tock(Tock(tick.host_us, 5), 2_000)
    timing.tock(Tock(tick.host_us, 5), 900_000)
    assert timing.heard_us == 2_000
    assert timing.quality(0, 0).rtt_last_us == 1_000


def test_a_tock_that_was_overtaken_is_no_answer() -> None:
    timing = LineTiming()
    first, second = timing.tick(1_000), timing.tick(2_000)
    timing.tock(Tock(second.host_us, 20), 3_000)
    timing.tock(Tock(first.host_us, 10), 4_000)
    assert timing.heard_us == 3_000


def test_a_board_whose_clock_goes_back_is_not_the_one_that_was_attached() -> None:
    timing = LineTiming()
    _answered(timing, 1_000_000, 4_000, 0)
    with pytest.raises(RemoteError):
        _answered(timing, 2_000_000, 4_000, 1_500_000)


def test_before_the_first_tock_there_are_no_figures() -> None:
    assert LineTiming().quality(3, 4) == (0, 0, 0, 0, 3, 4)


# --- on a line ---


def test_a_quiet_line_is_measured_as_it_is() -> None:
    rig = SerialRig()
    rig.run(SECOND_US)
    line = rig.board.line
    assert line.rtt_min_us == line.rtt_median_us == line.rtt_last_us == 2 * DELAY_US
    assert line.offset_us == rig.world.now_us - rig.emulated.clock.now_us()
    assert (line.repeated, line.damaged) == (0, 0)


def test_a_noisy_line_shows() -> None:
    rig = SerialRig()
    rig.noise(300_000)
    rig.board.supply.enable()
    for _ in range(60):
        rig.board.encoder.arm(1000)
        rig.run(SECOND_US)
    assert rig.board.line.damaged > 20
    assert rig.board.line.repeated > 0


def test_a_stall_shows_in_the_last_round_trip_and_not_in_the_offset() -> None:
    rig = SerialRig()
    rig.run(SECOND_US)
    rig.line.stall(200_000)
    last_us = set()
    for _ in range(250):
        rig.run(1_000)
        last_us.add(rig.board.line.rtt_last_us)
    line = rig.board.line
    assert line.rtt_min_us == 2 * DELAY_US
    assert max(last_us) > 100_000
    assert line.offset_us == rig.world.now_us - rig.emulated.clock.now_us()


def test_the_wall_clock_is_the_boards_to_a_twentieth_of_a_second() -> None:
    rig = SerialRig()
    for step in range(400):
        rig.run(7_919)
        true_us = rig.emulated.rtc.now_s()
        assert rig.board.rtc.now_s() in (true_us, true_us - 1)
        if rig.board.rtc.now_s() != true_us:
            rig.run(60_000)
            assert rig.board.rtc.now_s() == true_us, step


def test_a_board_that_has_no_time_says_so() -> None:
    rig = SerialRig()
    rig.emulated.rtc.set_s(0)
    rig.board.attach(2)
    assert rig.board.rtc.now_s() == 0
