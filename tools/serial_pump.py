"""Composition root: a board at the far end of a line, the controller that drives it, and its loop.

A lost board is a reset for the controller. Whatever raises HalLost ends the controller's life; the
loop opens the line again, attaches, and boots a new one on the same board object, for as long as
it takes. What had been delivered is in the board's flash and in its encoder.
"""

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from firmware.controller import Firmware
from firmware.device import DeviceConfig, Identity
from hal.errors import HalLost, HalMismatch
from hal.serial_board import SerialBoard
from hal.serial_board.stream import Line
from protocol.board_messages import Attached
from protocol.messages import WALL_EPOCH, LogRecord

RETRY_US: Final = 50_000
"""From losing the line to the first try to have it back."""
RETRY_MAX_US: Final = 1_000_000
"""Longest pause between two tries: each pause is twice the last one."""
WALL_EARLIEST_S: Final = int(
    (datetime(2025, 1, 1) - datetime.fromisoformat(WALL_EPOCH)).total_seconds()
)
"""A wall clock that shows less was never set: it counts from some power-on."""
SESSION_BITS: Final = 32


def rate_guard(config: DeviceConfig) -> tuple[int, int]:
    """Return the most strokes that this pump model can owe in any hour, and in any 24 h.

    The board counts in whole minutes, and quarters of an hour: its hour may be a minute longer, its
    day a quarter of an hour. A batch is counted when it begins, which is at most a quantum.
    """

    def within(minutes: int) -> int:
        volume_pl = config.flow_max_pl_h * minutes // 60
        return volume_pl // config.stroke_pl + 1 + config.quantum_strokes

    return within(60 + 1), within(24 * 60 + 15)


class SerialPump:
    """One pump whose board is somewhere else; `firmware` is the controller since the last boot."""

    def __init__(
        self,
        line: Line,
        config: DeviceConfig,
        *,
        baud: int = 115_200,
        wall_s: Callable[[], int] | None = None,
        random_bits: Callable[[int], int] = secrets.randbits,
        sleep: Callable[[float], None] = time.sleep,
        on_record: Callable[[LogRecord], None] | None = None,
        **board: Any,
    ) -> None:
        """Make a pump that is not attached yet.

        Args:
            line: open already.
            config: what the controller knows of its pump.
            baud: of the line.
            wall_s: what the wall clock of a board is set to that has none; default: the host's.
            random_bits: for the numbers of sessions.
            sleep: between two tries to have the line back, seconds.
            on_record: debug tap on the event log.
            board: further arguments of `SerialBoard`.
        """
        self._line = line
        self._config = config
        self._wall_s = wall_s or _host_wall_s
        self._random_bits = random_bits
        self._sleep = sleep
        self._on_record = on_record
        self._session: int | None = None
        self._implanted_s: int | None = None
        self._deadline_us = 0
        self.board = SerialBoard(line, baud, guard=rate_guard(config), **board)
        self.firmware: Firmware | None = None
        """None while the board is not attached."""

    @property
    def identity(self) -> Attached:
        """What the board said of itself when it was attached."""
        assert self.board.identity is not None
        return self.board.identity

    def attach(self) -> None:
        """Take the board and boot the controller on it.

        Raises HalLost; HalMismatch for a board that this controller cannot run on, or another one
        than before.
        """
        self.firmware = None
        self._session = self._next_session()
        self.board.attach(self._session)
        rtc = self.board.rtc
        if rtc.now_s() < WALL_EARLIEST_S:
            rtc.set_s(self._wall_s())
        if self._implanted_s is None:
            self._implanted_s = rtc.now_s()  # a board on a bench: its service life begins here
        who = Identity(f"B{self.identity.board_id:016x}", self._implanted_s)
        firmware = Firmware(self.board, self._config, who, self._on_record)
        try:
            self._deadline_us = firmware.start()
        except ValueError as error:
            raise HalMismatch(f"board {self.identity.board_id:016x}: {error}") from None
        self.firmware = firmware

    def turn(self, until_us: int) -> None:
        """Wait for an interrupt or a deadline, `until_us` of the line's time at the longest.

        Then let the controller do what is due. Raises HalLost.
        """
        assert self.firmware is not None
        clock = self.board.clock
        here_us = until_us - self._line.now_us() + clock.now_us()
        interrupts = self.board.wait_for_interrupt(min(self._deadline_us, here_us))
        if interrupts or clock.now_us() >= self._deadline_us:
            self._deadline_us = self.firmware.service(interrupts)

    def run(
        self,
        until_us: int | None,
        period_us: int,
        look: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        """Serve an attached board until `until_us` of the line's time; None: for ever.

        Args:
            until_us: when to end.
            period_us: how often to call `look`, about.
            look: called between two turns, with the board attached.
            note: hears when the board was lost and when it is back.

        Raises HalMismatch.
        """
        look_us = self._line.now_us()
        while until_us is None or self._line.now_us() < until_us:
            try:
                if self._line.now_us() >= look_us:
                    look_us += period_us
                    look()
                self.turn(look_us if until_us is None else min(look_us, until_us))
            except HalLost as lost:
                self.firmware = None
                note(f"board lost: {lost}")
                if self._recover(until_us):
                    note(f"board back: {self.board.watchdog.reset_cause().name}")
                    look_us = self._line.now_us()

    def _recover(self, until_us: int | None) -> bool:
        """Open and attach until it works; False when the time is over first."""
        pause_us = RETRY_US
        while until_us is None or self._line.now_us() < until_us:
            self._sleep(pause_us / 1e6)
            pause_us = min(2 * pause_us, RETRY_MAX_US)
            try:
                self._line.open()
                self.attach()
            except HalLost:
                continue
            return True
        return False

    def _next_session(self) -> int:
        session = self._random_bits(SESSION_BITS)
        return session if session != self._session else session ^ 1


def _host_wall_s() -> int:
    return int((datetime.now() - datetime.fromisoformat(WALL_EPOCH)).total_seconds())
