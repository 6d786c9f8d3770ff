"""The kit finds what is wrong with a board: one fault each, and the check that must tell it.

The suites and the scenarios run in virtual time; a kit that finds nothing on a good board and
something on each bad one is a kit to believe.
"""

from collections.abc import Callable
from functools import partial

import pytest
from hil_targets import LineTarget

from emulator.profile import Profile
from emulator.rate_guard import RateGuard
from hal.errors import HalLost
from hal.interfaces import Sample
from hal.interrupts import ENCODER_LIMIT
from tools.hil import contract, line
from tools.hil.checks import Check, Tolerances, Verdict
from tools.hil.command import PROFILE
from tools.hil.scenarios import SCENARIOS, play, play_all
from tools.hil.target import Hand, Target

TOLERANCES = Tolerances(2_000)
Fault = Callable[[LineTarget, pytest.MonkeyPatch], None]


@pytest.fixture
def target() -> LineTarget:
    return LineTarget(Profile.load(PROFILE))


class _NeverTimer:
    """A timer that nobody has connected."""

    at_us = None

    def set(self, at_us: int) -> None:
        pass

    def cancel(self) -> None:
        pass


def _slow(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    motor = target.emulated.motor
    good = motor.dispense
    patch.setattr(motor, "dispense", lambda strokes, us: good(strokes, us + us // 50))


def _one_too_many(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    motor = target.emulated.motor
    good = motor.dispense
    patch.setattr(motor, "dispense", lambda strokes, us: good(strokes + (strokes > 5), us))


def _counts_commands(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    emulated = target.emulated
    before = [0, 0]

    def moved() -> Sample:
        """Count what the motor was told, over every reset."""
        now = emulated.motor.strokes_commanded()
        before[0] += before[1] if now < before[1] else 0
        before[1] = now
        return Sample(before[0] + now, emulated.clock.now_us())

    patch.setattr(emulated.encoder, "moved", moved)


def _never_stops(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(target.emulated.motor, "stop", lambda: None)


def _no_dead_man(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(target.agent, "_dead_man", _NeverTimer())


def _no_watchdog(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(target.agent, "_watchdog", _NeverTimer())


def _no_guard(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RateGuard, "allows", lambda self, strokes, now_us: True)


def _limit_without_cut(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    encoder = target.emulated.encoder
    patch.setattr(encoder, "_passed", lambda: encoder._raise(ENCODER_LIMIT))


def _forgetful_flash(target: LineTarget, patch: pytest.MonkeyPatch) -> None:
    flash = target.emulated.flash
    good = flash.reset

    def reset() -> None:
        good()
        flash._sectors.clear()

    patch.setattr(flash, "reset", reset)


FAULTS: dict[str, tuple[Fault, str, str]] = {
    "strokes 2 % slow": (_slow, "batches", "motor: a batch ends with its last stroke"),
    "a stroke too many": (_one_too_many, "batches", ""),
    "encoder counts commands": (
        _counts_commands, "stall", "encoder: what is driven without power is not counted",
    ),
    "stop is not heard": (
        _never_stops, "basal", "motor: a stop between strokes ends the batch at once",
    ),
    "no dead-man": (_no_dead_man, "dead_man", ""),
    "no watchdog": (_no_watchdog, "watchdog", "watchdog: a nearer deadline counts"),
    "no rate guard": (_no_guard, "guard_closed", ""),
    "limit does not cut": (_limit_without_cut, "limit", ""),
    "flash is lost at an attach": (
        _forgetful_flash, "persistence", "flash: the content survives a reset",
    ),
}  # fmt: skip
"""Fault: how it is made, the scenario and the contract test that find it; "": there is none."""


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(target: LineTarget, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    break_it, name, test = FAULTS[fault]
    break_it(target, monkeypatch)
    scenario = next(one for one in SCENARIOS if one.name == name)
    played = play(scenario, target, Profile.load(PROFILE), TOLERANCES)
    differ = [check for check in played.checks if check.verdict is Verdict.DIFFERS]
    assert differ
    assert all(check.hint for check in differ)
    if test:
        found = contract.run(target, TOLERANCES, lambda name: name == test)
        assert [check.verdict for check in found] == [Verdict.DIFFERS]


def test_a_good_board_passes_every_suite(target: LineTarget) -> None:
    found = contract.run(target, TOLERANCES, lambda name: True)
    assert {check.verdict for check in found} == {Verdict.OK}
    assert len(found) > 90
    assert {check.name.partition(":")[0] for check in found} == set(contract.HINTS)


def test_a_peripheral_that_the_board_has_not_got_is_listed() -> None:
    rotor = LineTarget(Profile.load("rotor-40"))
    found = contract.run(rotor, TOLERANCES, lambda name: name.startswith("reservoir_sensor"))
    assert len(found) == 4
    assert {(one.verdict, one.hint) for one in found} == {
        (Verdict.NOT_TESTED, "needs a reservoir sensor")
    }


def test_what_needs_a_hand_is_listed_and_nothing_else_needs_one(
    target: LineTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "hands", frozenset({Hand.LINE}))
    for hand in ("power_cycle", "drain", "fill", "magnet", "near_field", "heard", "host_write"):
        monkeypatch.setattr(target, hand, partial(getattr(Target, hand), target))
    found = contract.run(target, TOLERANCES, lambda name: True)
    assert {check.verdict for check in found} == {Verdict.OK, Verdict.NOT_TESTED}
    left_out = [check for check in found if check.verdict is Verdict.NOT_TESTED]
    assert all(check.hint.startswith("needs ") for check in left_out)


def test_an_adc_that_reads_nothing_is_told_with_the_line(
    target: LineTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target.emulated.battery, "rest_mv", lambda: Sample(0, 0))
    found = line.examine(target, target.serial)
    differ = [check.name for check in found.judge.checks if check.verdict is Verdict.DIFFERS]
    assert differ == ["line: battery at rest", "line: battery loaded"]


def test_on_a_line_that_damages_frames_every_hint_names_the_line_first(
    target: LineTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0

    def spoil(data: bytes) -> bytes:
        nonlocal writes
        writes += 1
        return data[:-2] + bytes([data[-2] ^ 1]) + data[-1:] if writes % 20 == 0 else data

    target.line.spoil(to_host=spoil)
    found = line.examine(target, target.serial)
    differ = [check for check in found.judge.checks if check.verdict is Verdict.DIFFERS]
    assert [check.name for check in differ] == ["line: damaged frames"]
    _slow(target, monkeypatch)
    basal = next(one for one in SCENARIOS if one.name == "basal")
    played = play(basal, target, Profile.load(PROFILE), found.tolerances)
    hints = [check.hint for check in played.checks if check.verdict is Verdict.DIFFERS]
    assert hints
    for hint in hints:
        assert hint.startswith("the line first, ")
        assert "; then pulse timer: " in hint


def test_once_the_board_is_gone_nothing_more_is_tried(target: LineTarget) -> None:
    profile = Profile.load(PROFILE)
    played = play_all(target, profile, TOLERANCES)
    next(played)
    target.line.spoil(to_board=lambda data: b"")
    rest = list(played)
    checks: list[Check] = [check for one in rest for check in one.checks]
    assert checks[0].verdict is Verdict.DIFFERS
    assert HalLost.__name__ in checks[0].measured
    assert {check.verdict for check in checks[1:]} == {Verdict.NOT_TESTED}
    assert "gone" in checks[1].hint


def test_suites_stop_at_a_board_that_is_gone(target: LineTarget) -> None:
    target.line.spoil(to_board=lambda data: b"")
    found = contract.run(target, TOLERANCES, lambda name: True)
    differ = [check for check in found if check.verdict is Verdict.DIFFERS]
    assert len(differ) == 1
    assert HalLost.__name__ in differ[0].measured
