"""Each invariant finds its own violation, and nothing in a pump that does what it should."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from nurse import DRUG, Nurse, therapy

from firmware.flow import DAY_US, HOUR_US, per_hour
from firmware.modes import PUMPING
from protocol.codes import Code, LockoutFrom, RateBasis
from protocol.messages import PatientBolus
from tools.scenario.invariants import MOVED, QUIET_US, SAID, Invariants

PATIENT = PatientBolus(RateBasis.VOLUME_PL, 10_000_000, 300, 3600, LockoutFrom.START, 0)


def watched() -> tuple[Nurse, Invariants]:
    """A pump that has been delivering for an hour."""
    nurse = Nurse(drugs=(DRUG,))
    seen = Invariants(nurse.pump)
    seen.watch()
    nurse.program(replace(therapy(), patient=PATIENT), 40_000_000)
    nurse.run(HOUR_US)
    assert seen.count == 0
    return nurse, seen


def says(nurse: Nurse, **over: Any) -> None:
    """From now on the pump says something else of itself, and logs that somebody has asked."""
    firmware = nurse.pump.firmware
    true = firmware.status
    firmware.status = lambda: replace(true(), **over)  # type: ignore[method-assign]
    nurse.ask("INTERROGATE")


def commands_less(nurse: Nurse, seen: Invariants) -> None:
    nurse.board.motor._commanded -= 1


def turns_while_it_stands(nurse: Nurse, seen: Invariants) -> None:
    nurse.stop()
    nurse.run(HOUR_US)
    nurse.board.supply.enable()
    nurse.board.motor.dispense(3, 2_000_000)


def gives_more_than_the_window(nurse: Nurse, seen: Invariants) -> None:
    seen.therapy = replace(seen.therapy, window_nl=5_000, window_s=3600)


def has_less_than_nothing(nurse: Nurse, seen: Invariants) -> None:
    says(nurse, computed_nl=-1)


def forgets_a_stroke(nurse: Nurse, seen: Invariants) -> None:
    says(nurse, delivered_nl=nurse.status.delivered_nl - 250)


def flows_faster(nurse: Nurse, seen: Invariants) -> None:
    nurse.pump.firmware._infusion.delivery.change(per_hour(7_000_000), nurse.board.clock.now_us())


def stands_and_flows(nurse: Nurse, seen: Invariants) -> None:
    nurse.stop()
    says(nurse, rate_numerator_pl=1)


def goes_on_empty(nurse: Nurse, seen: Invariants) -> None:
    says(nurse, computed_nl=0)


def shortens_the_lockout(nurse: Nurse, seen: Invariants) -> None:
    assert nurse.status.lockout_s == 0, "the lockout of the program is over"
    seen.status = replace(seen.status, lockout_s=7200)
    nurse.ask("INTERROGATE")


BROKEN: dict[str, Callable[[Nurse, Invariants], None]] = dict(
    zip(
        (*MOVED, *SAID),
        (
            commands_less, turns_while_it_stands, gives_more_than_the_window,
            has_less_than_nothing, forgets_a_stroke, flows_faster, stands_and_flows,
            goes_on_empty, shortens_the_lockout,
        ),
        strict=True,
    )
)  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_pump_that_breaks_an_invariant_is_found(name: str) -> None:
    nurse, seen = watched()
    BROKEN[name](nurse, seen)
    nurse.world.run_until(nurse.world.now_us + QUIET_US + HOUR_US)
    assert seen.count > 0
    assert {what.split(": ")[1] for what in seen.violations} == {name}


def test_a_pump_that_is_empty_by_a_disputed_sensor_alone_goes_on_and_breaks_none() -> None:
    nurse = Nurse("sensed-20", fill_nl=100_000)
    seen = Invariants(nurse.pump)
    seen.watch()
    nurse.program(None, 20_000_000)
    nurse.run(DAY_US)
    assert nurse.alarms[Code.SENSOR_DISAGREE]
    assert nurse.alarms[Code.EMPTY_RESERVOIR]
    assert nurse.status.mode in PUMPING
    assert seen.count == 0, seen.violations


def test_a_log_that_leaves_out_a_record_is_found() -> None:
    nurse, seen = watched()
    nurse.ask("INTERROGATE")
    last = nurse.log[-1]
    seen.take(replace(last, seq=last.seq + 2))
    assert "log" in seen.violations[0]


def test_a_ledger_that_does_not_balance_counts() -> None:
    nurse, seen = watched()
    nurse.board.plant._removed_pl -= 1
    nurse.world.run_until(2 * HOUR_US)
    assert seen.count > 0


def test_watching_changes_nothing() -> None:
    nurse, seen = watched()
    alone = Nurse(drugs=(DRUG,))
    alone.program(replace(therapy(), patient=PATIENT), 40_000_000)
    for pump in (nurse, alone):
        pump.run(DAY_US - pump.world.now_us)
    assert nurse.board.save() == alone.board.save()
    assert seen.count == 0
