"""SET_CLOCK cut off at any event: what the pump says of it is what its clock shows."""

import pytest
from nurse import Nurse, therapy
from test_interrupted_commits import HastyNurse

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import Code, TxnOp, TxnState
from protocol.messages import Commit, SetClockParameters

S = 1_000_000


def begun(by_s: int, kind: type[Nurse] = Nurse) -> tuple[Nurse, Commit, int]:
    """A pump whose COMMIT to shift the clock is on the line, and its clock before."""
    nurse = kind()
    nurse.program(therapy(), 40_000_000)
    nurse.run(DAY_US)
    nurse.hello()
    before_s = nurse.status.wall_s
    preview = nurse.prepare(TxnOp.SET_CLOCK, SetClockParameters(before_s + by_s))
    commit = Commit(preview.txn, preview.token, preview.hash)
    nurse.send("COMMIT", commit)
    return nurse, commit, before_s


def interrupt(nurse: Nurse, cut_s: int) -> None:
    if cut_s:
        nurse.board.power_cut(cut_s * S)
        nurse.run(cut_s * S)
    else:
        nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.hello()


@pytest.mark.parametrize("by_s", [3600, -3600])
@pytest.mark.parametrize(("cut_s", "again"), [(0, False), (0, True), (60, False), (7200, True)])
def test_it_is_done_or_not_or_the_pump_says_that_it_cannot_know(
    by_s: int, cut_s: int, again: bool
) -> None:
    seen = set()
    for events in range(80):
        nurse, commit, before_s = begun(by_s)
        done = nurse.world.run_some(nurse.world.now_us, events)
        interrupt(nurse, cut_s)
        if again:
            interrupt(nurse, 0)
        state = nurse.query(commit.txn).state
        moved_s = nurse.status.wall_s - before_s - cut_s
        logged = [record.a - record.b for record in nurse.log if record.code is Code.CLOCK_SET]
        seen.add(state)
        if state is TxnState.DONE:
            assert abs(moved_s - by_s) <= 1
            assert logged == [by_s]
        elif state is TxnState.UNKNOWN:
            assert (moved_s, logged) == (0, [])
        else:
            assert state is TxnState.ENDED_EARLY
            assert cut_s, "a pump that kept its power knows"
            assert moved_s in (0, by_s)
        if done:
            break
    assert done
    assert {TxnState.DONE, TxnState.UNKNOWN} <= seen


def test_what_was_answered_stays_so() -> None:
    for by_s in (3600, -3600):
        nurse = HastyNurse()
        nurse.program(therapy(), 40_000_000)
        nurse.run(DAY_US)
        nurse.hello()
        before_s = nurse.status.wall_s
        txn = nurse.do(TxnOp.SET_CLOCK, SetClockParameters(before_s + by_s)).txn
        nurse.board.power_cut(10 * HOUR_US)
        nurse.run(10 * HOUR_US)
        nurse.hello()
        assert nurse.query(txn).state is TxnState.DONE
        assert nurse.status.wall_s == before_s + by_s + 36_000
