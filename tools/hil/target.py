"""A board under test, and what else can be done to it from outside.

A target attaches the board for each life of a controller, and keeps the time that all of the kit
goes by. What not every bench has is a `Hand`: a check that needs one that is not there is listed as
not tested.
"""

import enum
from abc import ABC, abstractmethod

from hal.board import Board
from hal.interfaces import TonePattern


class Hand(enum.StrEnum):
    """What a bench may be able to do besides driving the line."""

    LINE = "a line that can fall silent"
    RADIO = "the other end of the radio (--telemetry)"
    POWER = "a switch for the board's power"
    BATTERY = "a way to drain the battery"
    RESERVOIR = "a way to fill the reservoir"
    MAGNET = "a magnet"
    NEAR_FIELD = "a near field"
    EAR = "an ear at the piezo"


class Target(ABC):
    """One board."""

    board: Board
    hands: frozenset[Hand] = frozenset()
    real_time = True
    """False: its time is virtual, and nothing is ever late by chance."""

    @abstractmethod
    def now_us(self) -> int:
        """Return the kit's time; it goes on over every boot."""

    @abstractmethod
    def attach(self) -> None:
        """Boot a controller: take the board over, reset. Raises HalLost, HalMismatch."""

    @abstractmethod
    def hang(self, for_us: int) -> None:
        """Let time pass as a controller that hangs does: nothing is sent, nothing is heard."""

    def attach_guarded(self, hour: int, day: int) -> Board:
        """Attach with the board's rate guard lowered; return the board as it is then attached."""
        raise _missing(Hand.LINE)

    def truth_strokes(self) -> int | None:
        """Return what the rotor has really turned, whole strokes; None: nobody can see it."""
        return None

    def starved_us(self) -> int:
        """Return how long the board has stood in line for a processor of this machine.

        0 for a board that is no process beside the kit, whatever else this machine does.
        """
        return 0

    # Hands

    def power_cycle(self) -> None:
        """Take the board's power away for a second, and attach."""
        raise _missing(Hand.POWER)

    def host_write(self, data: bytes) -> None:
        """Send bytes to the board's radio."""
        raise _missing(Hand.RADIO)

    def host_read(self) -> bytes:
        """Take what the board's radio has sent."""
        raise _missing(Hand.RADIO)

    def near_field(self, present: bool) -> None:
        """Bring a programmer's head near, or take it away."""
        raise _missing(Hand.NEAR_FIELD)

    def magnet(self, present: bool) -> None:
        """Bring a field, or take it away."""
        raise _missing(Hand.MAGNET)

    def drain(self, percent: int) -> None:
        """Take charge from the battery, percent of its capacity."""
        raise _missing(Hand.BATTERY)

    def fill(self, volume_nl: int) -> None:
        """Take out what is in the reservoir, and put this in."""
        raise _missing(Hand.RESERVOIR)

    def heard(self) -> TonePattern | None:
        """Say what the piezo sounds."""
        raise _missing(Hand.EAR)


def _missing(hand: Hand) -> NotImplementedError:
    return NotImplementedError(f"this bench has not got {hand}")
