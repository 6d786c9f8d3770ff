"""`itpump perf`: shape and judgement of the table. No test here asserts how fast anything is."""

import json
import sys
from statistics import median
from typing import Any

import pytest

from firmware.flow import HOUR_US
from protocol.codes import BolusKind, Code
from tools import cli
from tools.perf import busy, command
from tools.perf.figures import Effort, Measured, Row, Samples, Unavailable, Verdict, in_turns

TINY = Effort(repeats=2, events=400, days=2, requests=3, pumps=2, life_days=100)
NOT_BUILT = {
    "request-reply, secured",
    "p99 beside busy pumps",
    "log transfer, 512 kB",
    "log transfer, noisy line",
    "100 pumps at 1x",
    "growth: pumps, log, alarms",
    "peers, same work",
}


def samples(*values: float) -> Samples:
    return Samples(values)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """All rows, measured once, as small as can be."""
    return list(command.to_json(command.measure(TINY))["rows"])


def test_every_row_is_there_in_order_and_says_whether_it_is_built(rows: Any) -> None:
    assert [row["name"] for row in rows] == [row.name for row in command.ROWS]
    assert {row["name"] for row in rows if row["verdict"] == "not built"} == NOT_BUILT


def test_every_built_row_has_its_figures(rows: Any) -> None:
    for row in rows:
        if row["name"] in NOT_BUILT or row["verdict"] == "no figure":
            assert row["measured"] is None
            continue
        assert row["measured"]["median"] == median(row["measured"]["samples"])
        # A process may not grow at all, and what so short a run grows with is chance.
        if not row["name"].startswith(("memory over", "growth")):
            assert min(row["measured"]["samples"]) > 0, row["name"]


def test_what_is_judged_by_a_ratio_was_measured_with_its_reference(rows: Any) -> None:
    judged = [row for row in rows if row["judged_by"] == "ratio" and row["measured"]]
    assert {row["reference"]["name"] for row in judged} >= {"heapq loop", "raw echo"}
    for row in judged:
        turns = zip(row["measured"]["samples"], row["reference"]["samples"], strict=True)
        assert row["ratio"] == pytest.approx(median(value / ref for value, ref in turns))


def test_a_busy_pump_gives_all_its_boluses_over_a_link_that_damages_frames() -> None:
    pump = busy.live(days=2)
    log = pump.firmware.log_records(0, 1 << 20)
    begun = [(record.b, record.tick_us) for record in log if record.code is Code.BOLUS_STARTED]
    asked_us = [tick_us for kind, tick_us in begun if kind == BolusKind.PATIENT]
    assert len(asked_us) == 2 * len(busy.VISITS_H)
    assert any(tick_us % HOUR_US for tick_us in asked_us), "no request had to be repeated"
    assert len(begun) - len(asked_us) == 13, "one every two hours; the last as the day ends"
    delivered_ul = pump.board.plant.delivered_pl / 10**6
    assert delivered_ul == pytest.approx(94 + 46 + 60 + 8 * 2, abs=1.5)


def test_quick_prints_json_with_all_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Measured(samples(3.0, 1.0, 2.0), samples(1.0, 1.0, 1.0), "one")
    row = Row("a row", "us", lambda effort: found, must=2.5, aim=1.0, by_ratio=True)
    monkeypatch.setattr(command, "ROWS", (row,))
    assert cli.main(["perf", "--quick", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["rows"][0]["measured"] == {
        "median": 2.0,
        "spread": 0.5,
        "samples": [3.0, 1.0, 2.0],
    }
    assert shown["rows"][0]["verdict"] == "ok"
    assert shown["machine"]["cpus"] >= 1


def test_quick_measures_less(monkeypatch: pytest.MonkeyPatch) -> None:
    efforts = []

    def measure(effort: Effort) -> Measured:
        efforts.append(effort)
        return Measured(samples(1.0))

    monkeypatch.setattr(command, "ROWS", (Row("a row", "s", measure),))
    cli.main(["perf"])
    cli.main(["perf", "--quick"])
    assert efforts[0].days > efforts[1].days
    assert efforts[0].events > efforts[1].events


def test_the_table_fits_100_columns_with_the_widest_figures() -> None:
    wide = Measured(samples(123.4, 999.0), samples(123.4, 99.0), "bare Python")
    found = [
        (row, wide, Verdict.BELOW_MUST, "") if row.measure else (row, None, Verdict.NOT_BUILT, "")
        for row in command.ROWS
    ]
    lines = command.table(found).splitlines()
    assert max(map(len, lines)) <= 100
    for line, (row, _, verdict, _) in zip(lines[2:], found, strict=False):
        assert line.startswith(row.name)
        assert line.endswith(f" {verdict}")


def test_a_missing_reference_is_said_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "simpy", None)  # what import takes for not installed
    text = command.table(command.measure_rows(command.ROWS[:1], TINY))
    assert "no figure" in text
    assert "pip install 'itpump[perf]'" in text


def test_nothing_unavailable_stops_the_rows_after_it() -> None:
    def unavailable(effort: Effort) -> Measured:
        raise Unavailable("not here")

    rows = (Row("first", "s", unavailable), Row("second", "s", lambda _: Measured(samples(1.0))))
    found = command.measure_rows(rows, TINY)
    assert [verdict for _, _, verdict, _ in found] == [Verdict.NOT_MEASURED, Verdict.OK]


@pytest.mark.parametrize(
    ("more_is_better", "value", "verdict"),
    [
        (False, 1.0, Verdict.AIM),
        (False, 2.0, Verdict.OK),
        (False, 2.1, Verdict.BELOW_MUST),
        (True, 2.0, Verdict.AIM),
        (True, 1.0, Verdict.OK),
        (True, 0.9, Verdict.BELOW_MUST),
    ],
)
def test_a_value_is_judged_by_the_side_it_must_be_on(
    more_is_better: bool, value: float, verdict: Verdict
) -> None:
    must, aim = (1.0, 2.0) if more_is_better else (2.0, 1.0)
    row = Row("a row", "s", None, must, aim, more_is_better=more_is_better)
    assert row.verdict(Measured(samples(value))) is verdict


def test_a_ratio_is_the_median_of_the_turns_not_the_ratio_of_medians() -> None:
    # The second turn met a busy machine: both figures are ten times as long, the ratio is not.
    assert Measured(samples(2, 20, 4), samples(1, 10, 4)).ratio == 2


def test_turns_take_both_figures_in_turn() -> None:
    order: list[str] = []

    def take(name: str, value: float) -> float:
        order.append(name)
        return value

    taken = in_turns(2, lambda: take("value", 3.0), lambda: take("reference", 5.0))
    assert order == ["value", "reference"] * 2
    assert taken == (samples(3.0, 3.0), samples(5.0, 5.0))


def test_spread_is_half_the_range_over_the_median() -> None:
    assert samples(9.0, 10.0, 13.0).spread == pytest.approx(0.2)
    assert samples(0.0, 0.0).spread == 0
