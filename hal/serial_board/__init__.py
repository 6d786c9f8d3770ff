"""The HAL of a board at the far end of a serial line.

`SerialBoard` is all of `hal.Board` over a `ByteStream`. Its clock is the stream's own, its random
numbers are this host's; all else is at the far end. No method waits for the board: a read answers
from the last report, a command is queued, and both cross the line inside
`SerialBoard.wait_for_interrupt` and nowhere else. So a controller that hangs falls silent on the
line as well, and the board's dead-man stops the motor.

A board that is lost raises HalLost from whatever is called next. That is a reset for the
controller: the main loop attaches again, and boots a new one on the same board object.

What this asks of a controller, compared with a board in the same process:

- A command takes effect at the board after the next wait has begun, not during the call.
- What it reads is as old as `Sample.taken_us` says; a count without a stamp is of the same report.
- Flash content is read from a mirror on this side, which follows what the board confirms: the
  board reads back what it has programmed or erased, and a checksum that differs is FLASH_FAILED.
"""

from hal.serial_board.board import SerialBoard
from hal.serial_board.stream import ByteStream

__all__ = ["ByteStream", "SerialBoard"]
