"""Scenarios without a controller: what the board itself must do when its controller does not.

The kit drives the motor through the HAL, 440 ms a stroke where silence is tried: the dead-man time
then ends in the first third of an interval, where no stroke is driven.
"""

from typing import Final

from hal.errors import HalLost
from hal.interfaces import ResetCause
from hal.interrupts import ENCODER_LIMIT, MOTOR_DONE
from hal.serial_board import SerialBoard
from hal.serial_board.link import LOST_US
from protocol.board_messages import REPORT_INTERVAL_US, SILENCE_US, Capability
from tools.hil.stage import Stage
from tools.hil.target import Hand

MS: Final = 1_000
INTERVAL_US: Final = 100 * MS
SLOW_US: Final = 440 * MS
BATCH_US: Final = 1_000 * MS
"""Look-ahead that every board has."""
BITE_US: Final = 1_000 * MS


def batches(stage: Stage) -> None:
    """Three batches of the look-ahead, each begun when the last has ended: no gap between them."""
    board, strokes = stage.board, BATCH_US // INTERVAL_US
    before = _ready(stage)
    start_us = board.clock.now_us()
    late_us = stage.judge.tolerances.late_us
    for batch in range(1, 4):
        board.motor.dispense(strokes, INTERVAL_US)
        stage.wait(MOTOR_DONE, 2 * BATCH_US)
        ended_us = board.clock.now_us() - start_us
        name = f"end of batch {batch}"
        stage.judge.instant(name, batch * BATCH_US, (ended_us, ended_us), batch * late_us)
    stage.judge.equal("strokes driven", 3 * strokes, board.motor.strokes_commanded())
    _moved(stage, before, 3 * strokes)


def limit(stage: Stage) -> None:
    """The encoder's limit cuts the supply by itself: of 6 strokes 3 are moved."""
    board = stage.board
    before = _ready(stage)
    identity = board.identity if isinstance(board, SerialBoard) else None
    if identity is not None and not identity.capabilities & Capability.ENCODER_CUT:
        stage.judge.not_tested("", "the board states no ENCODER_CUT")
        return
    board.encoder.arm(before + 2)
    board.motor.dispense(6, 2 * INTERVAL_US)
    at_us = stage.wait(ENCODER_LIMIT, 2 * BATCH_US)
    stage.judge.instant("limit told", 3 * 2 * INTERVAL_US, (at_us, at_us))
    stage.collect(BATCH_US)
    _moved(stage, before, 3)


def dead_man(stage: Stage) -> None:
    """The controller falls silent in a batch of two strokes: one is delivered, 440 ms each."""
    board = stage.board
    before = _ready(stage)
    board.motor.dispense(2, SLOW_US)
    stage.collect(20 * MS)
    stage.target.hang(3 * SILENCE_US)
    stage.judge.equal("the board's session is over", True, _lost(stage))
    stage.target.attach()
    stage.judge.equal("cause told", ResetCause.LINK_LOST.name, board.watchdog.reset_cause().name)
    stage.collect(2 * SLOW_US)
    _moved(stage, before, 1)


def watchdog(stage: Stage) -> None:
    """A deadline is missed though the line is alive: the session ends 1 s later, stroke and all."""
    board = stage.board
    before = _ready(stage)
    board.motor.dispense(1, 5_000 * MS)
    start_us = board.clock.now_us()
    board.watchdog.arm(start_us + 200 * MS)
    stage.judge.equal("the board's session is over", True, _lost(stage))
    last_us = board.encoder.moved().taken_us - start_us
    late_us = stage.judge.tolerances.late_us
    bite_us = 200 * MS + BITE_US
    stage.judge.within(
        "last report", bite_us - REPORT_INTERVAL_US - late_us, bite_us + late_us, last_us, "us", ""
    )
    stage.target.attach()
    stage.judge.equal("cause told", ResetCause.WATCHDOG.name, board.watchdog.reset_cause().name)
    stage.judge.equal("the motor runs", False, board.motor.running)
    _moved(stage, before, 0)


def guard_limit(stage: Stage) -> None:
    """With 5 strokes an hour allowed a batch of 3 is given, and another 3 is not begun."""
    stage.target.power_cycle()
    _guarded(stage, 5, 3)


def guard_closed(stage: Stage) -> None:
    """With no stroke allowed none is given; the guard stays so until the board loses its power."""
    _guarded(stage, 0, 0)
    if Hand.POWER in stage.target.hands:
        stage.target.power_cycle()


def _guarded(stage: Stage, hour: int, allowed: int) -> None:
    board = stage.target.attach_guarded(hour, hour)
    before = board.encoder.moved().value
    board.supply.enable()
    lost = False
    try:
        for _ in range(2):
            board.motor.dispense(3, INTERVAL_US)
            stage.wait(MOTOR_DONE, 2 * LOST_US, board)
    except HalLost:
        lost = True
    stage.judge.equal("the board's session is over", True, lost)
    stage.target.attach()
    cause = stage.board.watchdog.reset_cause()
    stage.judge.equal("cause told", ResetCause.RATE_GUARD.name, cause.name)
    _moved(stage, before, allowed)


def _ready(stage: Stage) -> int:
    """Attach with nothing to be told of before, give the motor power; return the count."""
    stage.target.attach()
    stage.target.attach()
    stage.board.supply.enable()
    stage.truth = stage.target.truth_strokes()
    return stage.moved


def _lost(stage: Stage) -> bool:
    """Wait as a controller does; return whether the board is lost."""
    try:
        stage.collect(3 * LOST_US)
    except HalLost:
        return True
    return False


def _moved(stage: Stage, before: int, strokes: int) -> None:
    stage.strokes = stage.moved - before
    stage.judge.equal("strokes by the encoder", strokes, stage.strokes)
    truth = stage.target.truth_strokes()
    if truth is not None and stage.truth is not None:
        stage.judge.equal("strokes in truth", strokes, truth - stage.truth)
