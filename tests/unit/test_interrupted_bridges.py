"""A reset, power cut or stop at every event of a bridge's beginning, end and voiding.

Whatever happens, the pump says of the bridge what it does, and the path is emptied of the old
solution at the old rate, once: the plant is the judge.
"""

from collections.abc import Callable
from itertools import count

import pytest
from nurse import MINUTE_US, STROKE_NL, Nurse
from path_nurse import BRIDGE_US, PATH_NL, STRONG, WEAK, change, dose, of, running

from firmware.flow import HOUR_US
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, Mode, RateBasis, TxnOp, TxnState
from protocol.messages import FILL_NOT_TOLD, BolusParameters, Commit, ProgramParameters

QUANTUM_NL = 10_000
"""What a power cut may leave uncertain: it counts as given."""
BRIDGE = BolusParameters(BolusKind.BRIDGE, RateBasis.MASS_PG, 0, 0, 0)


def reset(nurse: Nurse) -> None:
    nurse.board.reset(ResetCause.WATCHDOG)


def cut(nurse: Nurse) -> None:
    nurse.board.power_cut(MINUTE_US)
    nurse.run(MINUTE_US)


def halt(nurse: Nurse) -> None:
    nurse.hello()
    nurse.stop()
    nurse.run(MINUTE_US)
    nurse.resume()


INTERRUPTIONS = pytest.mark.parametrize("interrupt", [reset, cut, halt])
Interrupt = Callable[[Nurse], None]


def changed() -> Nurse:
    nurse = running(WEAK)
    nurse.run(HOUR_US + 7_000_000)
    change(nurse)
    return nurse


def until_over(nurse: Nurse) -> int:
    """Run until no bridge is owed; return what left the pump by then, nL."""
    while nurse.status.bolus is BolusKind.BRIDGE:
        assert nurse.status.mode is Mode.BRIDGE
        nurse.run_an_event()
    return nurse.truth_delivered_nl


@INTERRUPTIONS
def test_a_commit_that_is_interrupted_gives_the_whole_bridge_or_none(interrupt: Interrupt) -> None:
    seen = set()
    for events in count():
        nurse = changed()
        began_nl = nurse.truth_delivered_nl
        preview = nurse.prepare(TxnOp.BOLUS, BRIDGE)
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        interrupt(nurse)
        nurse.run(0)
        nurse.hello()
        state = nurse.query(preview.txn).state
        seen.add(state)
        if state is TxnState.DELIVERING:
            given_nl = until_over(nurse) - began_nl
            assert PATH_NL - QUANTUM_NL - STROKE_NL <= given_nl <= PATH_NL + 2 * STROKE_NL
            assert nurse.query(preview.txn).state is TxnState.DONE
        else:
            assert state is TxnState.UNKNOWN
            assert nurse.status.mode is Mode.BASAL
        if done:
            break
    assert seen == {TxnState.DELIVERING, TxnState.UNKNOWN}


@INTERRUPTIONS
def test_an_end_that_is_interrupted_is_an_end(interrupt: Interrupt) -> None:
    for events in count():
        nurse = changed()
        began_nl = nurse.truth_delivered_nl
        txn = dose(nurse, BolusKind.BRIDGE).txn
        nurse.run(BRIDGE_US - 1_000_000)
        nurse.hello()
        at_us = nurse.world.now_us + 2_000_000
        done = nurse.world.run_some(at_us, events)
        interrupt(nurse)
        given_nl = until_over(nurse) - began_nl
        assert PATH_NL - QUANTUM_NL - STROKE_NL <= given_nl <= PATH_NL + 2 * STROKE_NL
        nurse.hello()
        result = nurse.query(txn)
        assert (result.state, result.given_nl) == (TxnState.DONE, 319_250)
        reset(nurse)
        nurse.run(MINUTE_US)
        assert nurse.status.mode is Mode.BASAL
        if done:
            break


@pytest.mark.parametrize("interrupt", [reset, cut])
def test_a_program_that_voids_a_bridge_does_so_or_not(interrupt: Interrupt) -> None:
    seen = set()
    for events in count():
        nurse = changed()
        txn = dose(nurse, BolusKind.BRIDGE).txn
        nurse.run(HOUR_US)
        nurse.stop()
        nurse.run(MINUTE_US)
        parameters = ProgramParameters(of(STRONG), FILL_NOT_TOLD)
        preview = nurse.prepare(TxnOp.PROGRAM, parameters)
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        interrupt(nurse)
        nurse.run(0)
        nurse.hello()
        bridge, program = nurse.query(txn), nurse.query(preview.txn)
        seen.add((bridge.state, program.state))
        if program.state is TxnState.DONE:
            assert bridge.state is TxnState.ENDED_EARLY
            assert bridge.cause in (Code.PROGRAM_COMMITTED, Code.RESET)
            assert bridge.given_nl == 25_000
            assert nurse.status.mode is Mode.BASAL
        else:
            assert nurse.status.mode is Mode.STOPPED
            nurse.resume()
            assert nurse.status.mode is Mode.BRIDGE
        if done:
            break
    assert len(seen) == 2
