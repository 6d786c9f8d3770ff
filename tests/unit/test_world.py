"""The world: order of events, time that never goes back, streams that depend on nothing else."""

from functools import partial

import pytest

from emulator.world import World, WorldError


def test_events_run_in_order_of_time() -> None:
    world = World(1)
    log: list[str] = []
    for name, at_us in (("late", 30), ("early", 10), ("middle", 20)):
        world.timer(partial(log.append, name)).set(at_us)
    world.run_until(100)
    assert log == ["early", "middle", "late"]
    assert world.now_us == 100


def test_events_of_one_instant_run_in_order_of_setting() -> None:
    world = World(1)
    log: list[str] = []
    second, first = (world.timer(partial(log.append, name)) for name in "ba")
    first.set(10)
    second.set(10)
    world.run_until(10)
    assert log == ["a", "b"]


def test_setting_again_moves_to_the_end_of_the_instant() -> None:
    world = World(1)
    log: list[str] = []
    first, second = (world.timer(partial(log.append, name)) for name in "ab")
    first.set(10)
    second.set(10)
    first.set(10)
    world.run_until(10)
    assert log == ["b", "a"]


def test_an_event_set_for_now_by_an_event_runs_in_the_same_instant() -> None:
    world = World(1)
    log: list[int] = []
    follower = world.timer(lambda: log.append(world.now_us))
    world.timer(lambda: follower.set(world.now_us)).set(5)
    world.run_until(5)
    assert log == [5]


def test_an_event_after_the_end_waits() -> None:
    world = World(1)
    log: list[int] = []
    world.timer(lambda: log.append(world.now_us)).set(11)
    world.run_until(10)
    assert (log, world.now_us, world.next_event_us()) == ([], 10, 11)
    world.run_until(11)
    assert log == [11]


def test_a_timer_replaced_or_cancelled_does_not_run_at_its_old_time() -> None:
    world = World(1)
    log: list[int] = []
    replaced = world.timer(lambda: log.append(world.now_us))
    cancelled = world.timer(lambda: log.append(-1))
    replaced.set(10)
    replaced.set(20)
    cancelled.set(15)
    cancelled.cancel()
    cancelled.cancel()
    assert (replaced.at_us, cancelled.at_us) == (20, None)
    assert world.next_event_us() == 20
    world.run_until(100)
    assert log == [20]
    assert replaced.at_us is None
    assert world.next_event_us() is None


def test_replaced_timers_do_not_fill_the_memory() -> None:
    world = World(1)
    timer, other = world.timer(lambda: None), world.timer(lambda: None)
    other.set(999)
    for at_us in range(1000, 101_000):
        timer.set(at_us)
    assert len(world._queue) < 200
    assert world.next_event_us() == 999


def test_time_never_goes_back() -> None:
    world = World(1)
    world.run_until(10)
    with pytest.raises(WorldError):
        world.run_until(9)
    with pytest.raises(WorldError):
        world.timer(lambda: None).set(9)
    assert world.now_us == 10


def test_a_world_does_not_run_inside_itself() -> None:
    world = World(1)
    refused: list[bool] = []

    def run_inside() -> None:
        with pytest.raises(WorldError):
            world.run_until(50)
        refused.append(True)

    world.timer(run_inside).set(10)
    world.run_until(20)
    assert (refused, world.now_us) == ([True], 20)


def test_running_some_stops_after_the_limit_and_goes_on() -> None:
    world = World(1)
    log: list[int] = []
    for at_us in (10, 20, 30):
        world.timer(lambda: log.append(world.now_us)).set(at_us)
    assert not world.run_some(100, 2)
    assert (log, world.now_us) == ([10, 20], 20)
    assert world.run_some(100, 2)
    assert (log, world.now_us) == ([10, 20, 30], 100)


def test_an_error_in_an_event_leaves_the_world_usable() -> None:
    world = World(1)

    def fail() -> None:
        raise KeyError("event")

    world.timer(fail).set(10)
    with pytest.raises(KeyError):
        world.run_until(20)
    world.run_until(20)
    assert world.now_us == 20


def test_a_world_resumes_only_before_it_began() -> None:
    world = World(1)
    world.resume_at(500)
    assert world.now_us == 500
    with pytest.raises(WorldError):
        world.resume_at(600)
    busy = World(1)
    busy.timer(lambda: None).set(5)
    with pytest.raises(WorldError):
        busy.resume_at(500)


def test_a_stream_depends_on_seed_and_name_only() -> None:
    first, other_seed = World(1), World(2)
    first.stream("another").getrandbits(1000)
    draws = [first.stream("x").getrandbits(64), World(1).stream("x").getrandbits(64)]
    assert draws[0] == draws[1]
    assert first.stream("y").getrandbits(64) != draws[0]
    assert other_seed.stream("x").getrandbits(64) != draws[0]


def test_a_stream_is_the_same_in_any_portions() -> None:
    whole = World(1).stream("x").getrandbits(1000)
    stream, value, taken = World(1).stream("x"), 0, 0
    for bits in (1, 7, 0, 300, 256, 36, 400):
        value |= stream.getrandbits(bits) << taken
        taken += bits
    assert (taken, value) == (1000, whole)


@pytest.mark.parametrize("position", [0, 1, 255, 256, 257, 700])
def test_a_stream_goes_on_where_it_was_saved(position: int) -> None:
    stream, again = World(1).stream("x"), World(1).stream("x")
    stream.getrandbits(position)
    again.position_bits = stream.position_bits
    assert again.position_bits == position
    assert [again.getrandbits(9) for _ in range(99)] == [stream.getrandbits(9) for _ in range(99)]


def test_the_stream_is_locked() -> None:
    """A change here would change every recorded run."""
    assert World(1).stream("entropy").getrandbits(64) == 5975700393791531621
