"""The kit's own arithmetic: when strokes are due, what is within a tolerance, what a row says."""

import json
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.profile import Profile
from protocol.errors import ErrorCode, LimitId
from protocol.messages import Refusal
from tools.hil.checks import EARLY_US, Check, Judge, Tolerances, Verdict
from tools.hil.report import Report, line
from tools.hil.scenarios import play
from tools.hil.schedule import Schedule
from tools.hil.stage import Scenario, Stage
from tools.programmer.errors import Refused

MS = 1_000


def _only(judge: Judge) -> Check:
    assert len(judge.checks) == 1
    return judge.checks[0]


# --- schedule -----------------------------------------------------------------------------------


def test_a_basal_owes_a_stroke_each_interval() -> None:
    schedule = Schedule()
    schedule.basal(1_000, 200)
    assert [schedule.due_us(stroke) for stroke in (1, 2, 10)] == [1_200, 1_400, 3_000]
    assert schedule.owed(1_100) == Fraction(1, 2)
    assert schedule.began_us == 1_000


def test_a_part_of_a_stroke_is_carried_to_the_next_rate() -> None:
    schedule = Schedule()
    schedule.basal(0, 300)
    schedule.basal(1_275, 200)  # 4.25 owed: three quarters of 200 are left
    assert schedule.due_us(4) == 1_200
    assert schedule.due_us(5) == 1_425
    assert schedule.due_us(6) == 1_625


def test_a_bolus_comes_on_top() -> None:
    schedule = Schedule()
    schedule.basal(0, 400)
    schedule.bolus(400, 8, 1_000)
    assert schedule.due_us(1) == 400
    assert schedule.owed(1_400) == Fraction(1_400, 400) + 8
    assert schedule.due_us(2) == 496  # 1/400 + 1/125 a us: 95.24 us, rounded up


def test_a_bolus_takes_the_place_of_a_paused_basal() -> None:
    schedule = Schedule()
    schedule.basal(0, 200)
    schedule.bolus(650, 10, 1_500, pause=True)
    assert schedule.owed(2_150) == Fraction(13_25, 100)
    assert schedule.due_us(14) == 2_150 + 150


def test_nothing_is_due_after_a_stop_but_what_is_owed_is_carried_over_it() -> None:
    schedule = Schedule()
    schedule.basal(0, 200)
    schedule.bolus(500, 10, 3_000, pause=True)
    schedule.stop(1_625)  # 2.5 and 3.75
    with pytest.raises(ValueError, match="never due"):
        schedule.due_us(7)
    schedule.basal(5_000, 200)
    assert schedule.due_us(7) == 5_150


# --- tolerances ---------------------------------------------------------------------------------


def test_virtual_time_allows_nothing_but_the_line() -> None:
    assert (Tolerances(2_000).early_us, Tolerances(2_000).late_us) == (0, 2_000)
    assert Tolerances(report_us=0).stroke_us == 0


def test_real_time_allows_a_margin_on_both_sides() -> None:
    tolerances = Tolerances(5_000, 25_000)
    assert (tolerances.early_us, tolerances.late_us) == (EARLY_US + 2_500, 30_000)
    assert tolerances.stroke_us == 80_000


@pytest.mark.parametrize(
    ("seen_us", "verdict"),
    [
        ((99_000, 99_999), Verdict.DIFFERS),
        ((99_000, 100_000), Verdict.OK),
        ((102_000, 140_000), Verdict.OK),  # it may have been at 102 ms
        ((102_001, 140_000), Verdict.DIFFERS),
    ],
)
def test_an_instant_is_judged_by_when_it_can_have_been(
    seen_us: tuple[int, int], verdict: Verdict
) -> None:
    judge = Judge("part", Tolerances(2_000))
    judge.instant("stroke 1", 100 * MS, seen_us)
    assert _only(judge).verdict is verdict


def test_what_came_too_late_and_nothing_else_may_be_tried_again() -> None:
    judge = Judge("part", Tolerances(2_000))
    judge.instant("stroke 1", 100 * MS, (110 * MS, 110 * MS))
    assert judge.only_late
    judge.equal("strokes", 12, 13)
    assert not judge.only_late


def test_what_came_too_early_is_no_fault_of_the_host() -> None:
    judge = Judge("part", Tolerances(2_000))
    judge.instant("stroke 1", 100 * MS, (80 * MS, 80 * MS))
    assert not judge.only_late


# --- rows ---------------------------------------------------------------------------------------


def test_a_row_that_differs_says_where_to_look() -> None:
    judge = Judge("motor", Tolerances(), "look here")
    judge.equal("strokes", 12, 13)
    check = _only(judge)
    assert (check.name, check.expected, check.measured) == ("motor: strokes", "12", "13")
    assert "look at: look here" in line(check)


def test_on_a_bad_line_the_line_is_looked_at_first() -> None:
    judge = Judge("motor", Tolerances(bad_line="the cable"), "the timer")
    judge.equal("strokes", 12, 12)
    judge.equal("strokes", 12, 13)
    good, bad = judge.checks
    assert good.hint == ""
    assert bad.hint == "the cable; then the timer"


def test_a_row_that_is_good_gives_no_hint() -> None:
    judge = Judge("motor", Tolerances(), "look here")
    judge.equal("strokes", 12, 12)
    assert "look" not in line(_only(judge))


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [(0, Verdict.DIFFERS), (1, Verdict.OK), (9, Verdict.OK), (10, Verdict.DIFFERS)],
)
def test_a_range_includes_its_ends(measured: int, verdict: Verdict) -> None:
    judge = Judge("line", Tolerances())
    judge.within("battery", 1, 9, measured, "mV", "")
    assert _only(judge).verdict is verdict


def test_limits_include_themselves() -> None:
    judge = Judge("line", Tolerances())
    judge.at_most("round trip", 5, 5, "ms")
    judge.at_most("round trip", 5, 5.1, "ms")
    judge.at_least("reports", 5, 5, "a second")
    judge.at_least("reports", 5, 4.9, "a second")
    good = [check.verdict is Verdict.OK for check in judge.checks]
    assert good == [True, False, True, False]


def test_how_far_off_a_test_was_is_said() -> None:
    judge = Judge("motor", Tolerances(2_000))
    judge.as_named("ends", 1_500)
    judge.off("ends", -300_000)
    assert [check.measured for check in judge.checks] == ["1.5 ms late", "300.0 ms early"]
    assert judge.checks[1].verdict is Verdict.DIFFERS


def test_the_report_counts_and_concludes() -> None:
    report = Report()
    assert not report.conforms
    judge = Judge("motor", Tolerances(), "look here")
    judge.equal("strokes", 12, 12)
    judge.not_tested("magnet", "needs a magnet")
    report.add(judge.checks)
    assert report.conforms
    assert report.summary() == "1 checks, conforms; 1 not tested"
    judge.equal("strokes", 12, 13)
    report.add(judge.checks[-1:])
    assert report.summary() == "2 checks, 1 of them differ; 1 not tested"
    found = json.loads(report.to_json())
    assert (found["conforms"], found["differ"], found["not_tested"]) == (False, 1, 1)
    assert [check["verdict"] for check in found["checks"]] == ["ok", "not tested", "DIFFERS"]


def test_what_was_not_tested_says_why() -> None:
    judge = Judge("motor", Tolerances())
    judge.not_tested("magnet", "needs a magnet")
    assert line(_only(judge)).endswith("not tested: needs a magnet")


@pytest.mark.parametrize(
    ("code", "verdict"),
    [(ErrorCode.LIMIT_HARD, Verdict.NOT_TESTED), (ErrorCode.STATE, Verdict.DIFFERS)],
)
def test_a_pump_that_cannot_play_a_scenario_is_no_difference_of_the_board(
    code: ErrorCode, verdict: Verdict
) -> None:
    def refused(_: Stage) -> None:
        raise Refused(code, Refusal(LimitId.FLOW_MAX_PL_H, 108, 24))

    profile = Profile.load("rotor-40")
    target: Any = SimpleNamespace(now_us=lambda: 0, hands=frozenset(), board=None)
    played = play(Scenario("fast", "", refused, ""), target, profile, Tolerances())
    assert [check.verdict for check in played.checks] == [verdict]
