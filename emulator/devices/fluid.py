"""Drug on its way: the fluid that leaves the pump, as a tape that the catheter tip reads later.

Theory of operation. Fluid moves through the path from reservoir to tip as a plug: nothing mixes.
So what leaves the tip is what left the pump one path volume before. All of it is written on one
tape, whose place is the volume that has left the pump, pL: each fill of the reservoir begins a
`Plug` of even concentration, and what the path held at the beginning lies before place 0. The mass
between two places of a plug is a difference of `mass * place // volume`: exact to the picogram,
the same however often somebody looks, and nothing of it is lost or made.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

PL_PER_ML: Final = 1_000_000_000


class Drug(NamedTuple):
    """One drug in a solution."""

    name: str
    concentration_pg_ml: int


class Plug(NamedTuple):
    """Fluid of one concentration: `volume_pl` of it from place `start_pl` of the tape on."""

    start_pl: int
    volume_pl: int
    masses_pg: Mapping[str, int]

    def mass_until_pg(self, drug: str, place_pl: int) -> int:
        """Mass of a drug in the part of the plug that lies before the place."""
        into_pl = min(place_pl - self.start_pl, self.volume_pl)
        return self.masses_pg.get(drug, 0) * into_pl // self.volume_pl if into_pl > 0 else 0


def masses_pg(volume_pl: int, drugs: Iterable[Drug]) -> dict[str, int]:
    """Return the mass of each drug in a volume, whole picograms."""
    return {drug.name: volume_pl * drug.concentration_pg_ml // PL_PER_ML for drug in drugs}
