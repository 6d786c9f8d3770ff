"""The HAL of a board at the far end of a serial line.

Motor, encoder, motor supply, flash and telemetry are driven over a `ByteStream`; the clock is the
stream's own. No method waits for the board: a read answers from the last report, a command is
queued, and both cross the line inside `SerialBoard.wait_for_interrupt` and nowhere else. So a
controller that hangs falls silent on the line as well.

What this asks of a controller, compared with a board in the same process:

- A command takes effect at the board after the next wait has begun, not during the call.
- What it reads is as old as `Sample.taken_us` says; a count without a stamp is of the same report.
- Flash content is read from a mirror on this side, which follows what the board confirms: the
  board reads back what it has programmed or erased, and a checksum that differs is FLASH_FAILED.
"""

from hal.serial_board.board import SerialBoard
from hal.serial_board.stream import ByteStream

__all__ = ["ByteStream", "SerialBoard"]
