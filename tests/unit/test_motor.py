"""The rotor between events: exact against the definition, whatever perturbs it."""

import random

import pytest
from rig import DAY_US, at, bare_motor, exact_strokes

from emulator.devices.motor import NEVER, STROKE
from hal.interrupts import MOTOR_DONE


def test_a_stroke_is_driven_at_the_end_of_its_interval() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    motor.dispense(2, 10_000_000)
    positions = []
    for t_us in (9_200_000, 9_400_000, 9_600_000, 10_000_000, 15_000_000, 19_600_000, 20_000_000):
        world.run_until(t_us)
        positions.append(motor.position())
    assert positions == [0, 250_000, 500_000, STROKE, STROKE, 1_500_000, 2 * STROKE]


def test_a_fast_stroke_is_driven_for_half_its_interval() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    motor.dispense(1, 100_000)
    at(world, 50_000, lambda: None)
    assert motor.position() == 0
    at(world, 75_000, lambda: None)
    assert motor.position() == STROKE // 2


def test_an_undisturbed_batch_is_one_event() -> None:
    world, motor, raised = bare_motor()
    motor.set_power(True)
    motor.dispense(600, 1_000_000)
    assert world.next_event_us() == 600_000_000
    assert world.run_some(DAY_US, 2)
    assert raised == [(600_000_000, MOTOR_DONE)]
    assert motor.position() == 600 * STROKE


@pytest.mark.parametrize("seed", range(25))
def test_any_perturbations_move_the_rotor_as_defined(seed: int) -> None:
    """Power and field change at random instants; each may cost one microstroke of rounding."""
    chance = random.Random(seed)
    interval_us = chance.choice([1_000, 333_333, 1_000_000, 7_777_777])
    strokes = chance.randint(1, 20)
    end_us = strokes * interval_us
    changes = sorted(chance.sample(range(1, end_us), 6))
    world, motor, raised = bare_motor()
    motor.dispense(strokes, interval_us)
    state = {"power": False, "free": True}
    moving: list[tuple[int, int]] = []
    since_us = 0
    for t_us in [*changes, end_us]:
        world.run_until(t_us)
        if state["power"] and state["free"]:
            moving.append((since_us, t_us))
        what = chance.choice(["power", "free"])
        state[what] = not state[what]
        motor.set_power(state["power"])
        motor.set_held(not state["free"])
        since_us = t_us
        exact = exact_strokes(strokes, interval_us, min(800_000, interval_us // 2), moving)
        assert abs(exact * STROKE - motor.position()) < 8
    assert raised == [(end_us, MOTOR_DONE)]
    assert motor.strokes_commanded() == strokes


def test_no_error_gathers_over_years_of_batches() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    for _ in range(10_000):
        motor.dispense(3, 199_999_999)
        world.run_until(world.now_us + 599_999_997)
    assert motor.position() == 30_000 * STROKE
    assert motor.drawn() == 30_000 * STROKE


def test_looking_changes_nothing() -> None:
    looked, unseen = bare_motor(), bare_motor()
    for world, motor, _ in (looked, unseen):
        motor.set_power(True)
        motor.dispense(5, 777_777)
        for t_us in range(0, 5 * 777_777, 99_991):
            world.run_until(t_us)
            if motor is looked[1]:
                motor.position()
                motor.strokes_commanded()
        motor.set_power(False)
        world.run_until(10_000_000)
    assert looked[1].position() == unseen[1].position()


def test_a_held_rotor_draws_current_and_does_not_move() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    motor.set_held(True)
    motor.dispense(4, 1_000_000)
    world.run_until(4_000_000)
    assert (motor.position(), motor.drawn()) == (0, 4 * STROKE)


def test_an_unpowered_motor_draws_nothing() -> None:
    world, motor, _ = bare_motor()
    motor.dispense(4, 1_000_000)
    world.run_until(4_000_000)
    assert (motor.position(), motor.drawn(), motor.strokes_commanded()) == (0, 0, 4)


def test_a_halt_leaves_the_rotor_in_mid_stroke() -> None:
    world, motor, raised = bare_motor()
    motor.set_power(True)
    motor.dispense(4, 1_000_000)
    at(world, 1_750_000, motor.halt)
    assert motor.position() == 3 * STROKE // 2
    assert not motor.running
    assert not motor.powered
    assert motor.strokes_commanded() == 0
    world.run_until(DAY_US)
    assert raised == []
    assert motor.position() == 3 * STROKE // 2


def test_a_watched_position_is_told_when_it_is_reached() -> None:
    world, motor, _ = bare_motor()
    told: list[int] = []
    motor.watch_position(2_500_000, lambda: told.append(world.now_us))
    motor.set_power(True)
    for _ in range(3):
        motor.dispense(1, 1_000_000)
        world.run_until(world.now_us + 1_000_000)
    assert told == [2_750_000]  # half of the drive of half an interval


@pytest.mark.parametrize("position", [1, 499_999, 500_001, 1_000_000, 1_000_001, 2_999_999])
def test_a_watched_position_is_reached_at_that_instant_and_not_before(position: int) -> None:
    world, motor, _ = bare_motor()
    seen: list[tuple[int, int]] = []
    motor.watch_position(position, lambda: seen.append((world.now_us, motor.position())))
    motor.set_power(True)
    motor.dispense(3, 2_000_003)
    world.run_until(6_000_009)
    (t_us, reached), *others = seen
    assert others == []
    assert reached >= position
    assert motor.motion.position_at(t_us - 1) < position


def test_a_position_the_batch_cannot_reach_costs_no_event() -> None:
    world, motor, _ = bare_motor()
    motor.watch_position(5 * STROKE, lambda: None)
    motor.set_power(True)
    motor.dispense(4, 1_000_000)
    assert world.run_some(DAY_US, 2)


def test_a_perturbation_moves_the_crossing() -> None:
    world, motor, _ = bare_motor()
    told: list[int] = []
    motor.watch_position(2 * STROKE, lambda: told.append(world.now_us))
    motor.set_power(True)
    motor.dispense(5, 1_000_000)
    at(world, 1_200_000, lambda: motor.set_power(False))
    at(world, 2_200_000, lambda: motor.set_power(True))
    world.run_until(5_000_000)
    assert told == [3_000_000]


def test_a_position_that_is_passed_already_is_told_at_once() -> None:
    world, motor, _ = bare_motor()
    told: list[int] = []
    motor.set_power(True)
    motor.dispense(5, 1_000_000)
    world.run_until(3_000_000)
    motor.watch_position(STROKE, lambda: told.append(world.now_us))
    world.run_until(5_000_000)
    assert told == [3_000_000]


def test_nobody_is_told_after_the_watch_ended() -> None:
    world, motor, _ = bare_motor()
    told: list[int] = []
    motor.set_power(True)
    motor.watch_position(STROKE, lambda: told.append(world.now_us))
    motor.dispense(5, 1_000_000)
    motor.watch_position(NEVER, lambda: told.append(world.now_us))
    world.run_until(5_000_000)
    assert told == []


def test_the_past_hour_can_be_looked_at() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    seen = {0: 0}
    for batch in range(6):
        motor.dispense(3, 200_000_000)
        for part in range(1, 7):
            world.run_until(batch * 600_000_000 + part * 99_999_999)
            seen[world.now_us] = motor.position()
        world.run_until((batch + 1) * 600_000_000)
    assert {t_us: motor.position_before(t_us) for t_us in seen} == seen


def test_a_restored_rotor_is_where_it_was_and_idle() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    motor.dispense(4, 1_000_000)
    world.run_until(2_750_000)
    _, other, _ = bare_motor()
    other.restore(motor.save())
    assert (other.position(), other.drawn(), other.running) == (2_500_000, 2_500_000, False)


def test_a_restored_rotor_remembers_nothing_from_before() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    motor.dispense(4, 1_000_000)
    world.run_until(4_000_000)
    other_world, other, _ = bare_motor()
    other_world.resume_at(world.now_us)
    other.restore(motor.save())
    assert other.position_before(0) == 4 * STROKE


def test_what_is_remembered_is_bounded_by_an_hour() -> None:
    world, motor, _ = bare_motor()
    motor.set_power(True)
    for _ in range(600):
        motor.dispense(1, 60_000_000)
        world.run_until(world.now_us + 60_000_000)
    assert 60 <= len(motor._history) <= 63
    assert motor.position_before(world.now_us - 3_600_000_000) == 540 * STROKE
