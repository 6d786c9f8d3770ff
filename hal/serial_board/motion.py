"""Motor, encoder and motor supply of a board at the far end of a line."""

from typing import Final

from hal.errors import HalBusy, HalUsageError
from hal.interfaces import Sample
from hal.interrupts import MOTOR_DONE
from hal.serial_board.link import ControllerLink
from protocol.board_messages import ArmEncoder, Dispense, Report, StopMotor, SwitchSupply

INTERVAL_MIN_US: Final = 1_000
"""Shortest interval (`hal.Motor.dispense`)."""


class SerialMotor:
    """`hal.Motor`. A batch begins when its command reaches the board."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self.reset(lookahead_us=0)

    def reset(self, lookahead_us: int) -> None:
        """Be as after the reset of a board that looks ahead this far."""
        self._lookahead_us = lookahead_us
        self._running = False
        self._batch = 0
        self._commanded = 0
        self._end = 0

    @property
    def outstanding(self) -> int:
        """Strokes given to the board of which it has not said yet that they were driven."""
        return self._end - self._commanded if self._running else 0

    @property
    def lookahead_us(self) -> int:
        """Longest batch of more than one stroke."""
        return self._lookahead_us

    @property
    def running(self) -> bool:
        """True from `dispense` until MOTOR_DONE."""
        return self._running

    def dispense(self, strokes: int, interval_us: int) -> None:
        """Begin a batch. Raises HalBusy, HalUsageError, HalLost; see `hal.Motor`."""
        if self._running:
            raise HalBusy("a batch is running")
        if strokes < 1 or interval_us < INTERVAL_MIN_US:
            raise HalUsageError(f"cannot dispense {strokes} strokes every {interval_us} us")
        if strokes > 1 and strokes * interval_us > self._lookahead_us:
            raise HalUsageError(f"{strokes} strokes every {interval_us} us pass the lookahead")
        self._link.send(Dispense(self._batch + 1, strokes, interval_us))
        self._batch += 1
        self._end = self._commanded + strokes
        self._running = True

    def stop(self) -> None:
        """Begin no further stroke. Raises HalLost."""
        if self._running:
            self._link.send(StopMotor())

    def strokes_commanded(self) -> int:
        """Strokes driven to their end since boot, as last reported."""
        return self._commanded

    def reported(self, report: Report) -> None:
        """Take what the board says."""
        self._commanded = report.commanded
        if report.interrupts & MOTOR_DONE:
            self._running = False


class SerialEncoder:
    """`hal.Encoder`.

    A board that loses power counts from 0 again. While its controller lives on, the count here goes
    on: from what was last reported, and every stroke that may have been made since.
    """

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self._moved = Sample(0, 0)
        self._before = 0
        """Strokes counted before the board last lost its power."""

    def carry(self, outstanding: int) -> None:
        """The board has lost its power, with so many strokes given to it and not yet reported."""
        self._before = self._moved.value + outstanding

    def moved(self) -> Sample:
        """Whole strokes moved since power-on, as last reported."""
        return self._moved

    def arm(self, limit: int) -> None:
        """Guard a limit; the board cuts the supply there. Raises HalUsageError, HalLost."""
        if limit < 0:
            raise HalUsageError(f"encoder limit {limit} is below 0")
        self._link.send(ArmEncoder(max(0, limit - self._before)))

    def reported(self, report: Report, taken_us: int) -> None:
        """Take what the board says."""
        self._moved = Sample(self._before + report.moved, taken_us)


class SerialSupply:
    """`hal.MotorSupply`: as last commanded, then as the board says once it has heard that."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self.reset()

    def reset(self) -> None:
        """Be as after a reset: cut."""
        self._enabled = False
        self._command = 0

    @property
    def enabled(self) -> bool:
        """True when the motor has power."""
        return self._enabled

    def enable(self) -> None:
        """Give the motor power. Raises HalLost."""
        self._switch(True)

    def cut(self) -> None:
        """Take the motor's power away. Raises HalLost."""
        self._switch(False)

    def reported(self, report: Report) -> None:
        """Take what the board says, unless it had not heard the last command by then."""
        if report.executed >= self._command:
            self._enabled = bool(report.supply_enabled)

    def _switch(self, on: bool) -> None:
        self._command = self._link.send(SwitchSupply(int(on)))
        self._enabled = on
