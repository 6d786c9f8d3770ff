"""A bench for the suites over a target of the conformance kit: a board that is what it is.

It cannot be made anew for each test, but only attached; what it counts since power-on goes on.
"""

from bench_target import Bench

from hal.errors import HalLost
from hal.interfaces import TonePattern
from protocol.board_messages import REPORT_INTERVAL_US
from tools.hil.checks import Tolerances
from tools.hil.target import Target

REAL_PATIENCE_US = 1_500_000


class PortBench(Bench):
    """The board of a target, freshly attached. A hand that is not there raises."""

    def __init__(self, target: Target, tolerances: Tolerances) -> None:
        self._target = target
        target.attach()
        target.attach()  # nothing is left to be told of the test before
        self.board = target.board
        self.tolerance_us = tolerances.late_us
        self.early_us = tolerances.early_us
        self.settle_us = REPORT_INTERVAL_US + tolerances.late_us
        if target.real_time:
            self.patience_us = REAL_PATIENCE_US

    def host_write(self, data: bytes) -> None:
        self._target.host_write(data)

    def host_read(self) -> bytes:
        return self._target.host_read()

    def near_field(self, present: bool) -> None:
        self._target.near_field(present)

    def magnet(self, present: bool) -> None:
        self._target.magnet(present)

    def drain(self, percent: int) -> None:
        self._target.drain(percent)

    def fill(self, volume_nl: int) -> None:
        self._target.fill(volume_nl)

    def heard(self) -> TonePattern | None:
        return self._target.heard()

    def warm_reset(self) -> None:
        self._target.attach()

    def power_cycle(self) -> None:
        self._target.power_cycle()

    def slept(self, for_us: int) -> bool:
        try:
            return super().slept(for_us)
        except HalLost:
            self._target.attach()
            return False
