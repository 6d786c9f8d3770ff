"""The board's own rate guard: never late, hardly early, and it forgets nothing but with power."""

import random

import pytest
from serial_rig import SECOND_US, SerialRig

from emulator.rate_guard import RateGuard
from hal.errors import HalLost
from hal.interfaces import ResetCause
from protocol.board_messages import NO_GUARD

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


def test_without_limits_all_is_allowed() -> None:
    guard = RateGuard()
    assert (guard.hour, guard.day) == (NO_GUARD, NO_GUARD)
    guard.count(10**9, 0)
    assert guard.allows(10**9, 1)


def test_limits_only_fall() -> None:
    guard = RateGuard()
    guard.lower(100, 1000)
    guard.lower(200, 500)
    assert (guard.hour, guard.day) == (100, 500)


def test_what_was_counted_before_there_was_a_limit_counts() -> None:
    guard = RateGuard()
    guard.count(90, 0)
    guard.lower(100, 1000)
    assert guard.allows(10, 1)
    assert not guard.allows(11, 1)


@pytest.mark.parametrize(
    ("limits", "window_us", "bucket_us"),
    [((100, NO_GUARD), HOUR_US, MINUTE_US), ((NO_GUARD, 100), DAY_US, 15 * MINUTE_US)],
    ids=["hour", "day"],
)
def test_a_window_is_free_again_after_it_and_a_bucket(
    limits: tuple[int, int], window_us: int, bucket_us: int
) -> None:
    guard = RateGuard()
    guard.lower(*limits)
    first_us = 7 * bucket_us + bucket_us // 3
    guard.count(100, first_us)
    assert not guard.allows(1, first_us + window_us)
    assert guard.allows(100, first_us + window_us + bucket_us)


@pytest.mark.parametrize("seed", range(5))
def test_no_hour_and_no_day_ever_passes_its_limit(seed: int) -> None:
    """Against the definition: every window that ends with a batch, summed batch by batch."""
    rng = random.Random(seed)
    guard = RateGuard()
    guard.lower(60, 400)
    batches: list[tuple[int, int]] = []
    refused = now_us = 0
    for _ in range(3000):
        now_us += rng.choice((SECOND_US, MINUTE_US, 20 * MINUTE_US)) * rng.randrange(1, 4)
        strokes = rng.randrange(1, 20)
        if not guard.allows(strokes, now_us):
            refused += 1
            continue
        guard.count(strokes, now_us)
        batches.append((now_us, strokes))
        for window_us, limit in ((HOUR_US, 60), (DAY_US, 400)):
            assert sum(n for t_us, n in batches[-400:] if t_us > now_us - window_us) <= limit
    assert refused
    assert len(batches) > 300


# --- on the board ---


def _refused(rig: SerialRig, strokes: int, session: int) -> None:
    turned = rig.turned
    with pytest.raises(HalLost):
        rig.deliver(strokes)
    rig.world.run_until(rig.world.now_us + 10 * SECOND_US)
    assert rig.turned == turned
    assert not rig.emulated.supply.enabled
    rig.board.attach(session)
    assert rig.board.watchdog.reset_cause() is ResetCause.RATE_GUARD


def test_a_batch_that_would_pass_the_guard_is_not_begun_and_ends_the_session() -> None:
    rig = SerialRig(guard=(10, 100))
    rig.deliver(8)
    _refused(rig, 3, session=2)
    rig.deliver(2)
    assert rig.turned == 10


def test_an_attach_does_not_begin_the_count_again_but_an_hour_does() -> None:
    rig = SerialRig(guard=(10, 100))
    rig.deliver(10)
    rig.board.attach(2)
    assert rig.board.identity is not None
    assert (rig.board.identity.guard_hour, rig.board.identity.guard_day) == (10, 100)
    _refused(rig, 1, session=3)
    rig.world.run_until(rig.world.now_us + HOUR_US + MINUTE_US)
    rig.board.attach(4)
    rig.deliver(10)
    assert rig.turned == 20


def test_a_power_cut_forgets_the_guard_and_the_next_attach_sets_it_again() -> None:
    rig = SerialRig(guard=(10, 100))
    rig.deliver(10)
    rig.emulated.power_cut(SECOND_US)
    with pytest.raises(HalLost):
        rig.run(60 * SECOND_US)
    rig.board.attach(2)
    assert rig.board.identity is not None
    assert rig.board.identity.guard_hour == NO_GUARD
    rig.deliver(10)
    _refused(rig, 1, session=3)


def test_a_batch_the_motor_refuses_is_not_counted() -> None:
    rig = SerialRig(guard=(20, 100))
    rig.emulated.motor.dispense(1, SECOND_US)  # a hand on the board: the motor is busy
    rig.deliver(15)
    assert rig.turned == 0
    rig.run(2 * SECOND_US)
    rig.deliver(15)
    assert rig.turned == 1 + 15
