"""The reservoir: what is physically in it, above the unextractable residual."""

from decimal import Decimal
from typing import Any

from emulator.devices.fluid import Drug, Plug, masses_pg


class Reservoir:
    """A fill, and how much of it has been drawn since.

    Dry at 0: strokes then draw nothing. `capacity_pl` is the most it holds.
    """

    def __init__(self, capacity_pl: int) -> None:
        self.capacity_pl = capacity_pl
        self.fill = Plug(0, 0, {})

    def replace(self, place_pl: int, volume_pl: int, drugs: tuple[Drug, ...]) -> None:
        """Take everything out and put `volume_pl` in; the tape of `fluid.py` is at `place_pl`.

        Raises ValueError, with nothing changed, for a volume below 0 or above capacity.
        """
        if not 0 <= volume_pl <= self.capacity_pl:
            raise ValueError(
                f"a fill of {_ml(volume_pl)} is not within the capacity of {_ml(self.capacity_pl)}"
            )
        self.fill = Plug(place_pl, volume_pl, masses_pg(volume_pl, drugs))

    def volume_pl(self, place_pl: int) -> int:
        """Volume left when the tape is at `place_pl`."""
        return self.fill.start_pl + self.fill.volume_pl - place_pl

    def mass_pg(self, drug: str, place_pl: int) -> int:
        """Mass of a drug left when the tape is at `place_pl`."""
        return self.fill.masses_pg.get(drug, 0) - self.fill.mass_until_pg(drug, place_pl)

    def save(self) -> list[Any]:
        """Return the fill, fit for JSON."""
        return [self.fill.start_pl, self.fill.volume_pl, self.fill.masses_pg]

    def restore(self, state: list[Any]) -> None:
        """Hold what `save` found."""
        start_pl, volume_pl, masses = state
        self.fill = Plug(start_pl, volume_pl, dict(masses))


def _ml(volume_pl: int) -> str:
    return f"{Decimal(volume_pl).scaleb(-9).normalize():f} mL"
