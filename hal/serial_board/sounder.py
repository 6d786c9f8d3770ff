"""The piezo of a board at the far end of a line."""

from typing import Final

from hal.interfaces import TonePattern
from hal.serial_board.link import ControllerLink
from protocol.board_messages import Sound

_SILENCE: Final = 0


class SerialSounder:
    """`hal.Sounder`."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link

    def play(self, pattern: TonePattern) -> None:
        """Start the pattern, in place of one that is playing. Raises HalLost."""
        self._link.send(Sound(pattern))

    def silence(self) -> None:
        """Stop at once. Raises HalLost."""
        self._link.send(Sound(_SILENCE))
