"""The trace: canonical bytes, a hash of them, and a bounded memory."""

import hashlib
import io

import pytest

from emulator.trace import Trace


def test_a_line_is_canonical_json() -> None:
    sink = io.StringIO()
    Trace(sink).record(7, "motor", "STALL", {"b": 1, "a": "x y"})
    expected = '{"code":"STALL","detail":{"a":"x y","b":1},"source":"motor","t_us":7}\n'
    assert sink.getvalue() == expected


def test_the_hash_is_that_of_the_lines() -> None:
    sink = io.StringIO()
    trace = Trace(sink)
    for t_us in range(3):
        trace.record(t_us, "a", "B", {})
    assert trace.sha256() == hashlib.sha256(sink.getvalue().encode()).hexdigest()
    assert trace.lines == 3


def test_every_difference_changes_the_hash() -> None:
    lines = [(1, "a", "B", {}), (2, "a", "B", {}), (1, "b", "B", {}), (1, "a", "B", {"x": 1})]
    hashes = set()
    for line in lines:
        trace = Trace()
        trace.record(*line)
        hashes.add(trace.sha256())
    assert len(hashes) == len(lines)


@pytest.mark.parametrize("value", [1.5, True, None, b"x"])
def test_only_integers_and_strings_are_recorded(value: object) -> None:
    trace = Trace(keep_max=1)
    with pytest.raises(TypeError):
        trace.record(1, "a", "B", {"x": value})  # type: ignore[dict-item]
    assert (trace.lines, trace.events) == (0, [])


def test_the_first_events_are_kept_and_the_others_counted() -> None:
    trace = Trace(keep_max=2)
    for t_us in range(5):
        trace.record(t_us, "a", "B", {})
    assert [event["t_us"] for event in trace.events] == [0, 1]
    assert (trace.events_dropped, trace.lines) == (3, 5)


def test_routine_lines_are_hashed_but_not_kept() -> None:
    trace = Trace(keep_max=9)
    before = trace.sha256()
    trace.record(1, "motor", "BATCH", {"strokes": 3})
    assert (trace.events, trace.events_dropped) == ([], 0)
    assert trace.sha256() != before
