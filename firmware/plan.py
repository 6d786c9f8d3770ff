"""What a transaction would do, as it is shown before the commit and done after it."""

from dataclasses import replace
from typing import NamedTuple

from firmware.checks import BolusPlan
from firmware.limits import Passed
from firmware.prescription import Stored


class Plan(NamedTuple):
    """What would be done."""

    strokes: int = 0
    volume_nl: int = 0
    duration_us: int = 0
    computed_nl: int = 0
    stored: Stored | None = None
    """A new generation of the stored prescription, to be staged before the commit."""
    fill_told: bool = False
    """The volume in the reservoir is told with it: what was uncertain before is past."""
    bolus: BolusPlan | None = None
    """A bolus; None where a bridge is meant."""
    passed: tuple[Passed, ...] = ()
    """Soft limits that the override lets pass."""

    def of(self, txn: int) -> "Plan":
        """Return it as that transaction's: a bridge is known by the number it was committed as."""
        stored = self.stored
        if stored is None or not stored.bridge.volume_pl or stored.bridge.txn:
            return self
        return self._replace(stored=replace(stored, bridge=replace(stored.bridge, txn=txn)))
