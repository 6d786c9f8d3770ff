"""The path from the reservoir to the catheter tip: what left the pump leaves the tip later.

The tape of `fluid.py`, held as its plugs in order. The last plug is the fill that is being drawn;
each plug ends where the next one begins. Plugs that have wholly left the tip are added up and
dropped, so a pump of any age holds only what is on its way.
"""

from collections.abc import Mapping
from typing import Any

from emulator.devices.fluid import Plug


class FluidPath:
    """Pump tubing and catheter, `volume_pl` in all, at first full of a solution of `masses_pg`.

    Saline and an empty path are both a path without drug.
    """

    def __init__(self, volume_pl: int, masses_pg: Mapping[str, int]) -> None:
        self.volume_pl = volume_pl
        self._plugs = [Plug(-volume_pl, volume_pl, dict(masses_pg))]
        self._gone_pg: dict[str, int] = {}
        self._drawn_pg: dict[str, int] = {}
        """Mass on the tape before the last plug."""

    def begin(self, plug: Plug) -> None:
        """Draw from a new fill from now on; its start is the tape's place now."""
        if self._plugs[-1].start_pl == plug.start_pl:
            self._plugs.pop()
        self._plugs.append(plug)
        while len(self._plugs) > 1 and self._plugs[1].start_pl <= plug.start_pl - self.volume_pl:
            gone, end_pl = self._plugs.pop(0), self._plugs[0].start_pl
            for drug in gone.masses_pg:
                mass_pg = gone.mass_until_pg(drug, end_pl)
                self._gone_pg[drug] = self._gone_pg.get(drug, 0) + mass_pg
        self._draw()

    def _draw(self) -> None:
        """Add up what lies before the last plug."""
        drugs = {drug for plug in self._plugs for drug in plug.masses_pg} | self._gone_pg.keys()
        start_pl = self._plugs[-1].start_pl
        self._drawn_pg = {drug: self._mass_before_pg(drug, start_pl) for drug in sorted(drugs)}

    def left_pump_pg(self, drug: str, place_pl: int) -> int:
        """Mass of a drug on the tape before `place_pl`, what the path held at first included."""
        last = self._plugs[-1]
        if place_pl >= last.start_pl:
            return self._drawn_pg.get(drug, 0) + last.mass_until_pg(drug, place_pl)
        return self._mass_before_pg(drug, place_pl)

    def _mass_before_pg(self, drug: str, place_pl: int) -> int:
        mass_pg = self._gone_pg.get(drug, 0)
        for plug, following in zip(self._plugs, self._plugs[1:], strict=False):
            mass_pg += plug.mass_until_pg(drug, min(place_pl, following.start_pl))
        return mass_pg + self._plugs[-1].mass_until_pg(drug, place_pl)

    def left_tip_pg(self, drug: str, place_pl: int) -> int:
        """Mass of a drug that has left the tip when the tape is at `place_pl`."""
        return self.left_pump_pg(drug, place_pl - self.volume_pl)

    def held_pl(self, place_pl: int) -> int:
        """Volume of fluid between pump and tip when the tape is at `place_pl`, plug by plug."""
        tip_pl, held_pl = place_pl - self.volume_pl, 0
        last = self._plugs[-1]
        last_pl = min(place_pl, last.start_pl + last.volume_pl)
        if tip_pl >= last.start_pl:
            return last_pl - tip_pl
        for plug, following in zip(self._plugs, self._plugs[1:], strict=False):
            end_pl = min(place_pl, following.start_pl, plug.start_pl + plug.volume_pl)
            held_pl += max(0, end_pl - max(tip_pl, plug.start_pl))
        return held_pl + max(0, last_pl - last.start_pl)

    def save(self) -> dict[str, Any]:
        """Return what is on its way and what is gone, fit for JSON."""
        return {
            "volume_pl": self.volume_pl,
            "plugs": [[plug.start_pl, plug.volume_pl, plug.masses_pg] for plug in self._plugs],
            "gone_pg": self._gone_pg,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Hold what `save` found."""
        self.volume_pl = state["volume_pl"]
        self._plugs = [Plug(start, volume, dict(mass)) for start, volume, mass in state["plugs"]]
        self._gone_pg = dict(state["gone_pg"])
        self._draw()
