"""Scenarios of the controller on the board: every stroke once, when it is due, and accounted for.

Each is a function of its `Stage`. Instants at which something is done are a quarter of an interval
after a stroke is due: the next stroke is not driven before half of its interval.
"""

from typing import Final

from hal.errors import HalLost
from protocol.board_messages import SILENCE_US
from protocol.codes import BolusBasal, Code, TxnState
from tools.hil.pump import PumpOnBoard
from tools.hil.schedule import Schedule
from tools.hil.stage import Stage

MS: Final = 1_000
BASAL_US: Final = 200 * MS


def basal(stage: Stage) -> None:
    """12 strokes of basal, and none after the stop."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US), BASAL_US)
    stage.stop_after(pump, schedule, 12)
    stage.delivered(pump, 12)
    stage.timed(pump, schedule, 1, 12)


def rate_change(stage: Stage) -> None:
    """A part of a stroke that is owed at the old rate is carried to the new one."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(300 * MS), 300 * MS)
    pump.run_until(schedule.due_us(4) + 75 * MS)
    schedule.basal(pump.program(BASAL_US), BASAL_US)
    stage.stop_after(pump, schedule, 10)
    stage.delivered(pump, 10)
    stage.timed(pump, schedule, 5, 10)


def bolus_on_top(stage: Stage) -> None:
    """8 strokes in 1 s, while the basal goes on."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(400 * MS), 400 * MS)
    pump.run_until(schedule.due_us(1) + 40 * MS)
    txn, began_us = pump.bolus(8, 1_000 * MS)
    schedule.bolus(began_us, 8, 1_000 * MS)
    stage.stop_after(pump, schedule, 13)
    stage.delivered(pump, 13)
    stage.timed(pump, schedule, 2, 13)
    _judge_bolus(stage, pump, txn, TxnState.DONE, 8)


def bolus_instead(stage: Stage) -> None:
    """10 strokes in 1.5 s, in place of the basal, which then goes on."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US, basal=BolusBasal.PAUSE), BASAL_US)
    pump.run_until(schedule.due_us(3) + 50 * MS)
    txn, began_us = pump.bolus(10, 1_500 * MS)
    schedule.bolus(began_us, 10, 1_500 * MS, pause=True)
    stage.stop_after(pump, schedule, 15)
    stage.delivered(pump, 15)
    stage.timed(pump, schedule, 4, 13, 15)
    _judge_bolus(stage, pump, txn, TxnState.DONE, 10)


def reservations(stage: Stage) -> None:
    """24 strokes without a gap, across three reservations in flash."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(400 * MS, basal=BolusBasal.PAUSE), 400 * MS)
    pump.run_until(schedule.due_us(1) + 100 * MS)
    txn, began_us = pump.bolus(24, 2_400 * MS)
    schedule.bolus(began_us, 24, 2_400 * MS, pause=True)
    stage.stop_after(pump, schedule, 26)
    stage.delivered(pump, 26)
    stage.timed(pump, schedule, 2, 9, 17, 25)
    _judge_bolus(stage, pump, txn, TxnState.DONE, 24)


def stop_in_bolus(stage: Stage) -> None:
    """A stop ends the bolus: what of it was given is said, and a resume brings the basal alone."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US, basal=BolusBasal.PAUSE), BASAL_US)
    pump.run_until(schedule.due_us(2) + 100 * MS)
    txn, began_us = pump.bolus(10, 3_000 * MS)
    schedule.bolus(began_us, 10, 3_000 * MS, pause=True)
    stage.stop_after(pump, schedule, 6)
    stage.judge.equal("strokes before the stop", 6, pump.strokes)
    given = (pump.at(Code.STOPPED) - began_us) // (300 * MS)
    _judge_bolus(stage, pump, txn, TxnState.ENDED_EARLY, given)
    schedule.basal(pump.resume(), BASAL_US)
    stage.stop_after(pump, schedule, 10)
    stage.delivered(pump, 10)
    stage.timed(pump, schedule, 6, 7, 10)


def reset_in_bolus(stage: Stage) -> None:
    """The controller dies in a bolus and another attaches at once: nothing twice, nothing lost."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US, basal=BolusBasal.PAUSE), BASAL_US)
    pump.run_until(schedule.due_us(2) + 100 * MS)
    txn, began_us = pump.bolus(10, 3_000 * MS)
    schedule.bolus(began_us, 10, 3_000 * MS, pause=True)
    due_us = schedule.due_us(5)
    pump.run_until(due_us + 75 * MS)
    stage.ready(pump, schedule, 5, due_us + 150 * MS)
    pump.boot()
    _judge_bolus(stage, pump, txn, TxnState.ENDED_EARLY)
    _basal_again(stage, pump, 5)


def hang_in_bolus(stage: Stage) -> None:
    """The controller hangs in a bolus: the board stops by itself, and is taken over again."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US, basal=BolusBasal.PAUSE), BASAL_US)
    pump.run_until(schedule.due_us(1) + 100 * MS)
    txn, began_us = pump.bolus(10, 4_400 * MS)
    schedule.bolus(began_us, 10, 4_400 * MS, pause=True)
    due_us = schedule.due_us(4)
    pump.run_until(due_us + 50 * MS)
    stage.ready(pump, schedule, 4, due_us + 100 * MS)
    stage.target.hang(3 * SILENCE_US)
    lost = False
    try:
        pump.run(3 * SILENCE_US)
    except HalLost:
        lost = True
    stage.judge.equal("the board's session is over", True, lost)
    pump.boot()
    stage.judge.equal("strokes in the silence", 1, pump.strokes - 4)
    stage.judge.equal("alarms", ("BOARD_LINK_LOST",), pump.alarms)
    _judge_bolus(stage, pump, txn, TxnState.ENDED_EARLY)
    _basal_again(stage, pump, 5)


def stall(stage: Stage) -> None:
    """The supply is cut behind the controller's back: it says so, and when it moves again.

    The controller learns of it when the batch under way has ended.
    """
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US), BASAL_US)
    began_us = schedule.began_us
    pump.run_until(schedule.due_us(3) + 50 * MS)
    stage.ready(pump, schedule, 3, schedule.due_us(3) + 100 * MS)
    pump.board.supply.cut()
    pump.run_until(schedule.due_us(13) + 50 * MS)
    stage.judge.equal("alarms", ("MOTOR_STALL",), pump.alarms)
    device = stage.profile.device
    batch_us = min(pump.board.motor.lookahead_us, device.quantum_strokes * BASAL_US)
    stalled_us = pump.at(Code.STALL) - began_us
    stage.judge.instant(
        "stall flagged",
        schedule.due_us(3) - began_us + device.stall_us,
        (stalled_us, stalled_us),
        batch_us + stage.judge.tolerances.late_us,
    )
    stage.before(schedule.due_us(13) + 100 * MS)
    pump.board.supply.enable()
    stage.stop_after(pump, schedule, 15)
    recovered_us = pump.at(Code.STALL_RECOVERED) - began_us
    stage.judge.instant(
        "recovery seen", schedule.due_us(14) - began_us, (recovered_us, recovered_us)
    )
    stage.delivered(pump, 5)


def reservoir(stage: Stage) -> None:
    """LOW after 8 strokes of 12, EMPTY after 12: the pump stops by itself."""
    pump, schedule = stage.pump(), Schedule()
    stroke_nl = pump.stroke_nl
    start_us = pump.program(BASAL_US, fill_nl=12 * stroke_nl, low_nl=4 * stroke_nl)
    schedule.basal(start_us, BASAL_US)
    pump.run_until(schedule.due_us(15))
    for code, stroke in ((Code.LOW_RESERVOIR, 8), (Code.EMPTY_RESERVOIR, 12)):
        at_us = pump.at(code) - start_us
        stage.judge.instant(code.name, schedule.due_us(stroke) - start_us, (at_us, at_us))
    stage.judge.equal("alarms", ("LOW_RESERVOIR", "EMPTY_RESERVOIR"), pump.alarms)
    stage.delivered(pump, 12)


def persistence(stage: Stage) -> None:
    """Flash keeps therapy, account and log over two attaches, to the byte."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US), BASAL_US)
    stage.stop_after(pump, schedule, 3)
    before = _content(pump), pump.firmware.prescription(), len(pump.log)
    stage.target.attach()
    stage.judge.equal("flash content kept", True, _content(pump) == before[0])
    pump.boot()
    stage.judge.equal("therapy kept", True, pump.firmware.prescription() == before[1])
    kept = pump.firmware.log_records(0, before[2])
    stage.judge.equal("log kept", True, [record for _, record in pump.log[: before[2]]] == [*kept])
    pump.run(3 * BASAL_US)
    stage.delivered(pump, 3)


def power_lost(stage: Stage) -> None:
    """Power is lost amid the basal: what cannot be known counts as delivered."""
    pump, schedule = stage.pump(), Schedule()
    schedule.basal(pump.program(BASAL_US), BASAL_US)
    pump.run_until(schedule.due_us(5) + 80 * MS)
    stage.ready(pump, schedule, 5, schedule.due_us(5) + 100 * MS)
    pump.power_cycle()
    quantum = stage.profile.device.quantum_strokes
    judge = stage.judge
    judge.within("account after the cut", 5, 5 + quantum, pump.accounted, "strokes", "")
    counted = pump.accounted
    schedule = Schedule()
    schedule.basal(pump.boot_us, BASAL_US)
    stage.stop_after(pump, schedule, 4)
    stage.strokes = pump.strokes
    judge.equal("strokes by the encoder", 9, pump.strokes)
    judge.equal("strokes added to the account", 4, pump.accounted - counted)
    if pump.truth is not None:
        judge.equal("strokes in truth", 9, pump.truth)


def _basal_again(stage: Stage, pump: PumpOnBoard, before: int) -> None:
    """After a boot the basal begins anew: 4 strokes of it, and all there is to judge."""
    schedule = Schedule()
    schedule.basal(pump.boot_us, BASAL_US)
    stage.stop_after(pump, schedule, 4)
    stage.delivered(pump, before + 4)
    stage.timed(pump, schedule, 1, 4, before=before)


def _judge_bolus(
    stage: Stage, pump: PumpOnBoard, txn: int, state: TxnState, given: int | None = None
) -> None:
    result = pump.query(txn)
    stage.judge.equal("bolus", state.name, result.state.name)
    if given is not None:
        stage.judge.equal("strokes given of the bolus", given, result.given_nl // pump.stroke_nl)


def _content(pump: PumpOnBoard) -> bytes:
    return pump.board.flash.read(0, pump.board.flash.size_bytes)
