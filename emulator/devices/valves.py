"""The valves between a pressurised reservoir and the path, and what a magnetic field does to them.

Theory of operation. The reservoir is under pressure; two valves let it out packet by packet. A
field forces both open: while it is on the reservoir empties past them (`leak.py`), and what counts
the packets sees nothing of it. A flow-activated valve, where one is fitted, shuts once so much has
flowed: from then on nothing leaves the pump, whatever the valves do, until somebody resets it by
hand. That shows as packets that are not confirmed.
"""

from typing import Any

from emulator.devices.leak import Leak
from emulator.devices.magnet import Field
from emulator.devices.motor import Motor
from emulator.world import World


class Valves:
    """Dump at `dump_pl_h` in a field; with a flow-activated valve `fav_leak_pl` at most."""

    def __init__(
        self, world: World, motor: Motor, leak: Leak, dump_pl_h: int, fav_leak_pl: int
    ) -> None:
        self._world = world
        self._motor = motor
        self._leak = leak
        self._dump_pl_h = dump_pl_h
        self._fav_leak_pl = fav_leak_pl
        self._field: Field | None = None
        self._trip = world.timer(self._shut)
        self.shut = False
        """True from when the flow-activated valve has shut until it is reset."""

    def field_on(self, field: Field) -> None:
        """Force the valves open."""
        self._field = field
        self._open()

    def field_off(self) -> None:
        """Let the valves close; a flow-activated valve that has shut stays so."""
        self._field = None
        self._close()

    def reset(self) -> None:
        """Open the flow-activated valve by hand; a field that is still there opens the others."""
        self.shut = False
        self._motor.set_held(False)
        self._world.record("valves", "FAV_RESET")
        self._open()

    def save(self) -> dict[str, Any]:
        """Return how the valves are, fit for JSON."""
        return {
            "field": self._field and list(self._field),
            "shut": self.shut,
            "trip_us": self._trip.at_us,
            "leak": self._leak.save(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `save` found it; world time must have been restored before."""
        self._field = None if state["field"] is None else Field(*state["field"])
        self.shut = state["shut"]
        self._motor.set_held(self.shut)
        self._leak.restore(state["leak"])
        self._trip.cancel()
        if state["trip_us"] is not None:
            self._trip.set(state["trip_us"])

    def _open(self) -> None:
        self._close()
        if self._field is None or self.shut:
            return
        if self._field.fav:
            tripped_us = self._leak.begin(self._dump_pl_h, self._fav_leak_pl)
            self._trip.set(self._world.now_us + tripped_us)
        else:
            self._leak.begin(self._dump_pl_h)

    def _close(self) -> None:
        self._trip.cancel()
        self._leak.end()

    def _shut(self) -> None:
        self.shut = True
        self._leak.end()
        self._motor.set_held(True)
        self._world.record("valves", "FAV_SHUT")
