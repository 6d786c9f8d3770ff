"""What comes between a COMMIT and its record: a stop, a stall, a reset. The plant is the judge."""

import pytest
from nurse import MINUTE_US, STROKE_NL, Nurse, Refusals, bolus, therapy, volume_per_day

from firmware.flow import DAY_US, HOUR_US
from hal.interfaces import ResetCause
from protocol.codec import Message
from protocol.codes import Code, Mode, StopReason, TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.framing import Frame, FrameType
from protocol.messages import (
    FILL_NOT_TOLD,
    Commit,
    Empty,
    ProgramParameters,
    RefillParameters,
    TxnRef,
)


class HastyNurse(Nurse):
    """Hears an answer when it comes, not when all of its instant has happened."""

    def exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        self.link.request(kind, channel, payload, self.world.now_us)
        self.board.link.host_write(self.link.outgoing())
        frame = None
        while frame is None:
            assert not self.world.run_some(self.world.now_us, 1), "the pump did not answer"
            frame = self.link.receive(self.board.link.host_read(), self.world.now_us)
        return frame


def programmed(kind: type[Nurse] = Nurse, daily_nl: int = 150_000) -> Nurse:
    nurse = kind()
    nurse.program(therapy(volume_per_day(daily_nl)), 40_000_000)
    nurse.run(DAY_US)
    return nurse


FASTER = ProgramParameters(therapy(volume_per_day(600_000)), FILL_NOT_TOLD)


@pytest.mark.parametrize(
    ("op", "parameters"),
    [(TxnOp.PROGRAM, FASTER), (TxnOp.BOLUS, bolus(10_000)), (TxnOp.RESUME, Empty())],
)
def test_a_stop_in_the_middle_of_a_commit_came_last_and_holds(
    op: TxnOp, parameters: Message
) -> None:
    for events in range(60):
        nurse = programmed(HastyNurse)
        if op is TxnOp.RESUME:
            nurse.stop()
        preview = nurse.prepare(op, parameters)
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        nurse.hello()
        nurse.stop()
        nurse.run(MINUTE_US)
        given_nl = nurse.truth_delivered_nl
        for _ in range(2):
            nurse.run(DAY_US)
            assert nurse.truth_delivered_nl == given_nl
            assert nurse.status.stop_reason is StopReason.COMMANDED
            nurse.board.reset(ResetCause.WATCHDOG)
        if op is TxnOp.BOLUS:
            nurse.hello()
            assert nurse.query(preview.txn).state in (TxnState.ENDED_EARLY, TxnState.UNKNOWN)
        if done:
            break
    assert done


def test_a_bolus_committed_in_the_very_wake_that_flags_a_stall_ends_at_once() -> None:
    nurse = programmed()
    nurse.board.faults.inject("magnet_field", {}, None)
    nurse.run(20 * MINUTE_US - 1)
    preview = nurse.prepare(TxnOp.BOLUS, bolus(10_000))
    due_us = nurse.world.now_us + 1
    while nurse.world.now_us < due_us:
        nurse.world.run_some(due_us, 1)  # the wake is due, and has not come yet
    nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
    nurse.run(0)
    assert nurse.status.mode is Mode.STALLED
    nurse.hello()
    result = nurse.query(preview.txn)
    assert (result.state, result.cause) == (TxnState.ENDED_EARLY, Code.MOTOR_STALL)
    assert result.given_nl == 0


def test_a_stop_that_was_answered_survives_a_reset_in_the_middle_of_its_last_stroke() -> None:
    for restart in ("reset", "cut"):
        nurse = programmed()
        nurse.run(143_900_000)  # 100 ms before a stroke ends: it is under way
        nurse.stop()
        if restart == "reset":
            nurse.board.reset(ResetCause.WATCHDOG)
        else:
            nurse.board.power_cut(1)
        given_nl = nurse.truth_delivered_nl
        nurse.run(DAY_US)
        assert nurse.status.stop_reason is StopReason.COMMANDED
        assert nurse.truth_delivered_nl == given_nl


def test_a_fill_told_ends_what_was_uncertain_with_its_record() -> None:
    seen = set()
    for events in range(40):
        nurse = programmed()
        nurse.board.power_cut(1)
        nurse.run(1)
        nurse.hello()
        preview = nurse.prepare(TxnOp.REFILL, RefillParameters(39_000_000))
        nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
        done = nurse.world.run_some(nurse.world.now_us, events)
        nurse.board.reset(ResetCause.COMMANDED)
        nurse.run(0)
        nurse.hello()
        told = nurse.query(preview.txn).state is TxnState.DONE
        seen.add(told)
        assert (nurse.status.uncertain_nl == 0) == told
        if done:
            break
    assert seen == {False, True}


def test_strokes_before_a_bolus_are_not_counted_as_its_own_after_a_reset() -> None:
    nurse = programmed(daily_nl=2_400_000)
    nurse.run(100_000_000)
    txn = nurse.bolus(10_000, HOUR_US).txn
    nurse.board.reset(ResetCause.WATCHDOG)
    nurse.run(0)
    nurse.hello()
    assert nurse.query(txn).given_nl <= STROKE_NL
    assert abs(nurse.status.computed_nl - nurse.truth_reservoir_nl) <= STROKE_NL


def test_no_answer_says_yes_or_no_while_the_record_is_being_written() -> None:
    """A tool that heard UNKNOWN would ask for the dose again, and both would be given."""
    seen = set()
    for op, parameters in ((TxnOp.BOLUS, bolus(10_000)), (TxnOp.PROGRAM, FASTER)):
        done = False
        for events in range(60):
            nurse = programmed(HastyNurse)
            preview = nurse.prepare(op, parameters)
            commit = Commit(preview.txn, preview.token, preview.hash)
            nurse.send("COMMIT", commit)
            done = nurse.world.run_some(nurse.world.now_us, events)
            nurse.hello()
            for name, body in (("QUERY", TxnRef(preview.txn)), ("COMMIT", commit)):
                try:
                    said = nurse.ask(name, body).state
                except Refusals as refused:
                    said = refused.code
                if said in (TxnState.DONE, TxnState.DELIVERING):
                    nurse.board.power_cut(1)
                    nurse.run(1)
                nurse.run(0)
                nurse.hello()
                after = nurse.query(preview.txn).state
                seen.add((name, said))
                if said is TxnState.UNKNOWN:
                    assert after is TxnState.UNKNOWN
                elif said in (TxnState.DONE, TxnState.DELIVERING):
                    assert after in (TxnState.DONE, TxnState.ENDED_EARLY)
            if done:
                break
        assert done
    assert {("QUERY", ErrorCode.BUSY), ("QUERY", TxnState.DONE)} <= seen


def test_the_status_names_the_new_generation_with_its_program_and_never_before() -> None:
    nurse = programmed()
    before = nurse.status.generation, nurse.pump.firmware.prescription().therapy
    preview = nurse.prepare(TxnOp.PROGRAM, FASTER)
    nurse.send("COMMIT", Commit(preview.txn, preview.token, preview.hash))
    seen = []
    done = False
    while not done:
        done = nurse.world.run_some(nurse.world.now_us, 1)
        now = nurse.status.generation, nurse.pump.firmware.prescription().therapy
        if now not in seen:
            seen.append(now)
    assert seen == [before, (before[0] + 1, FASTER.therapy)]
