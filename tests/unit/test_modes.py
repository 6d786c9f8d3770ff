"""The mode table: every (mode, event) pair is taken as written, or refused with nothing changed."""

import itertools

import pytest

from firmware.modes import MODES, TRANSITIONS, Event, ModeMachine, ModeRefused
from protocol.codes import Mode

TABLE = {(source, row.event): row.to for row in TRANSITIONS for source in row.sources}


def in_mode(mode: Mode) -> ModeMachine:
    """A machine that was led to `mode` by events, the only way there is."""
    paths: dict[Mode, list[Event]] = {Mode.SELF_TEST: []}
    while mode not in paths:
        for (source, event), to in TABLE.items():
            if source in paths and to not in paths:
                paths[to] = [*paths[source], event]
    machine = ModeMachine()
    for event in paths[mode]:
        machine.dispatch(event)
    assert machine.mode is mode
    return machine


@pytest.mark.requirement("R-021")
@pytest.mark.parametrize(("mode", "event"), list(itertools.product(MODES, Event)))
def test_every_pair_is_taken_or_refused(mode: Mode, event: Event) -> None:
    machine = in_mode(mode)
    if (mode, event) in TABLE:
        machine.dispatch(event)
        assert machine.mode is TABLE[mode, event]
    else:
        with pytest.raises(ModeRefused):
            machine.dispatch(event)
        assert machine.mode is mode


def test_every_mode_can_be_reached_and_only_end_of_service_never_left() -> None:
    left = {source for source, _ in TABLE}
    assert set(TABLE.values()) | {Mode.SELF_TEST} == set(MODES)
    assert set(MODES) - left == {Mode.END_OF_SERVICE}


def test_no_pair_has_two_targets() -> None:
    pairs = [(source, row.event) for row in TRANSITIONS for source in row.sources]
    assert len(pairs) == len(set(pairs))
