"""The watchdog costs no event while the controller keeps its deadlines."""

import pytest
from rig import DAY_US, HOUR_US, Rig

from hal.interfaces import ResetCause


def test_arming_and_sleeping_within_the_deadline_leaves_no_event() -> None:
    rig = Rig()
    for hour in range(1, 100):
        rig.board.watchdog.arm(hour * HOUR_US)
        rig.board.wait_for_interrupt(hour * HOUR_US)
        assert rig.world.next_event_us() is None


@pytest.mark.parametrize("slack_us", [0, 1, 1_000_000])
def test_sleeping_up_to_the_bite_is_allowed(slack_us: int) -> None:
    rig = Rig()
    rig.board.watchdog.arm(HOUR_US)
    rig.board.wait_for_interrupt(HOUR_US + slack_us)
    assert rig.board.clock.now_us() == HOUR_US + slack_us


def test_the_bite_comes_however_often_the_core_sleeps_in_between() -> None:
    rig = Rig()
    rig.board.watchdog.arm(HOUR_US)
    for minute in range(1, 120):
        if rig.board.watchdog.reset_cause() is ResetCause.WATCHDOG:
            break
        rig.board.wait_for_interrupt(minute * 60_000_000)
    assert rig.world.now_us == HOUR_US + 1_000_000


def test_a_deadline_that_is_long_past_bites_at_once() -> None:
    rig = Rig()
    rig.world.run_until(DAY_US)
    rig.board.watchdog.arm(0)
    rig.board.wait_for_interrupt(2 * DAY_US)
    assert rig.board.watchdog.reset_cause() is ResetCause.WATCHDOG
    assert rig.world.now_us == DAY_US
