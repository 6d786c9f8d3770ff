"""The plant: the physical truth about the fluid, which the controller never sees.

Theory of operation. The motor's position and the leak past the strokes say how much the pump would
have moved, each fill how much it could: what has left the pump is a pure function of those. So
nothing advances; a look at any instant, now or in the remembered past, is the same arithmetic on
the motor's motion and the leak's. Looking changes nothing, and a quiet month costs nothing.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal, NamedTuple

from emulator.devices.catheter import FluidPath
from emulator.devices.fluid import Drug, masses_pg
from emulator.devices.leak import Leak
from emulator.devices.motor import HISTORY_US, STROKE, Motor
from emulator.devices.reservoir import Reservoir
from emulator.world import World

_PPM: Final = 1_000_000
_FILLS_MAX: Final = 16
"""Fills remembered for looks into the past hour; nobody fills a pump more often."""
BIAS_MIN_PPM: Final = -_PPM + 1
BIAS_MAX_PPM: Final = 10 * _PPM


@dataclass(frozen=True, slots=True)
class PlantSetup:
    """What is physically true when the world begins; a scenario's `[plant]`."""

    fill_pl: int
    """Volume in the reservoir above the unextractable residual."""
    drugs: tuple[Drug, ...] = ()
    """What is dissolved in it; none is saline."""
    path: Literal["primed", "saline", "empty"] = "primed"
    """What tubing and catheter hold: the same solution, or no drug."""
    tubing_pl: int = 140_000_000
    """Tubing inside the pump. Source: the rotor pumps' corrected 0.140 mL."""
    catheter_pl: int = 0
    """Catheter: implanted length times volume per length."""
    flow_bias_ppm: int = 0
    """Plant stroke = effective stroke × (1 + bias)."""
    battery_percent: int = 100
    """Charge at the beginning, percent of capacity."""
    start_wall_s: int = 0
    """Pump wall clock at the beginning, seconds since 2000-01-01."""

    def __post_init__(self) -> None:
        """Refuse what is not physical. Raises ValueError."""
        if self.path not in ("primed", "saline", "empty"):
            raise ValueError(f'path "{self.path}": use primed, saline or empty')
        if self.tubing_pl < 0 or self.catheter_pl < 0:
            raise ValueError("tubing and catheter volumes are at least 0")
        if not BIAS_MIN_PPM <= self.flow_bias_ppm <= BIAS_MAX_PPM:
            raise ValueError(f"flow bias {self.flow_bias_ppm} ppm is not above -100 % up to 1000 %")
        if not 0 <= self.battery_percent <= 100:
            raise ValueError(f"battery at {self.battery_percent} % is not within 0..100 %")


class Account(NamedTuple):
    """Where all of one quantity is: volume in pL, or a drug's mass in pg."""

    filled: int
    """Put into reservoir and path since the world began."""
    delivered: int
    """Left the catheter tip."""
    in_path: int
    """On its way from the pump to the tip."""
    left: int
    """In the reservoir."""
    lost: int
    """Taken out with a needle, or put beside the reservoir."""

    @property
    def found(self) -> int:
        """What was put in, wherever it is now: equal to `filled` in a right plant."""
        return self.delivered + self.in_path + self.left + self.lost


def unbalanced(ledger: Mapping[str, Account]) -> list[str]:
    """Return what violates the conservation law, one line each.

    filled = delivered + in path + left + lost, and none of them is below 0.
    """
    return [
        f"{name}: {account.filled} went in, {account.found} are found: {account}"
        for name, account in ledger.items()
        if account.filled != account.found or min(account) < 0
    ]


class _Fill(NamedTuple):
    """When a fill began, and where."""

    at_us: int
    swept_pl: int
    place_pl: int
    volume_pl: int


class Plant:
    """Motor, leak, reservoir, path: the truths of one pump.

    `stroke_pl` is the effective stroke; `rotor_deg` how far the rotor turns in one stroke.
    """

    def __init__(
        self,
        world: World,
        motor: Motor,
        setup: PlantSetup,
        *,
        capacity_pl: int,
        stroke_pl: int,
        rotor_deg: int,
    ) -> None:
        self._world = world
        self._motor = motor
        self.leak = Leak(world)
        """What pressure drives past the strokes."""
        self._stroke_appl = stroke_pl * (_PPM + setup.flow_bias_ppm)
        self._rotor_deg = rotor_deg
        path_pl = setup.tubing_pl + setup.catheter_pl
        held = masses_pg(path_pl, setup.drugs) if setup.path == "primed" else {}
        self._path = FluidPath(path_pl, held)
        self._reservoir = Reservoir(capacity_pl)
        self._fills = deque([_Fill(0, 0, 0, 0)], _FILLS_MAX)
        self._filled_pl = 0
        self._removed_pl = 0
        self.fills = 0
        """How often the reservoir was filled since this world began or was restored."""
        self.pocket = Fraction(0)
        """Part of each refill that misses the reservoir, 0..1."""
        self._given_pg = dict(held)
        self._removed_pg: dict[str, int] = {}
        self.refill(setup.fill_pl, setup.drugs)

    # Truths

    @property
    def delivered_pl(self) -> int:
        """Volume that has left the pump since the world began."""
        return self._drawn_pl(self._fills[-1], self._swept_pl(self._motor.position()))

    @property
    def reservoir_pl(self) -> int:
        """Volume in the reservoir above the unextractable residual."""
        return self._reservoir.volume_pl(self.delivered_pl)

    @property
    def capacity_pl(self) -> int:
        """Most that the reservoir holds."""
        return self._reservoir.capacity_pl

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of all drugs that were ever in this pump, in order of appearance."""
        return tuple(self._given_pg)

    @property
    def state(self) -> tuple[int, int]:
        """Rotor position and number of fills: while they are the same, so is every truth."""
        return self._motor.position(), self.fills

    def tip_pg(self, drug: str) -> int:
        """Mass of a drug that has left the catheter tip."""
        return self._path.left_tip_pg(drug, self.delivered_pl)

    def reservoir_pg(self, drug: str) -> int:
        """Mass of a drug in the reservoir."""
        return self._reservoir.mass_pg(drug, self.delivered_pl)

    def path_pg(self, drug: str) -> int:
        """Mass of a drug on its way between reservoir and tip."""
        place_pl = self.delivered_pl
        return self._path.left_pump_pg(drug, place_pl) - self._path.left_tip_pg(drug, place_pl)

    @property
    def flow_pl_h(self) -> int:
        """Volume that left the pump in the trailing hour, or as far back as is remembered."""
        return self.delivered_pl - self._delivered_at(self._world.now_us - HISTORY_US)

    @property
    def rotor_deg(self) -> int:
        """How an X-ray shows the rotor, 0..359 degrees; 0 where nothing turns."""
        return self._motor.position() * self._rotor_deg // STROKE % 360

    def ledger(self) -> dict[str, Account]:
        """Return the accounts of the volume and of each drug, whole pL and pg."""
        place_pl = self.delivered_pl
        path, reservoir = self._path, self._reservoir
        accounts = {
            "volume pL": Account(
                self._filled_pl + path.volume_pl,
                place_pl,
                path.held_pl(place_pl),
                reservoir.volume_pl(place_pl),
                self._removed_pl,
            )
        }
        for drug, given_pg in self._given_pg.items():
            tip_pg = path.left_tip_pg(drug, place_pl)
            accounts[f"{drug} pg"] = Account(
                given_pg,
                tip_pg,
                path.left_pump_pg(drug, place_pl) - tip_pg,
                reservoir.mass_pg(drug, place_pl),
                self._removed_pg.get(drug, 0),
            )
        return accounts

    def ledger_violations(self) -> list[str]:
        """Return what does not balance, one line each; a right plant has none."""
        return unbalanced(self.ledger())

    # Hands

    def refill(self, volume_pl: int, drugs: tuple[Drug, ...]) -> int:
        """Take all of the residual out, put `volume_pl` in, return the residual volume, pL.

        Of the volume `pocket` is lost in the tissue around the pump. Raises ValueError, with
        nothing changed, for a volume below 0 or what goes into the reservoir above capacity.
        """
        place_pl = self.delivered_pl
        residual_pl = self._reservoir.volume_pl(place_pl)
        residual_pg = {drug: self._reservoir.mass_pg(drug, place_pl) for drug in self._given_pg}
        pocket_pl = int(volume_pl * self.pocket)
        self._reservoir.replace(place_pl, volume_pl - pocket_pl, drugs)
        self._path.begin(self._reservoir.fill)
        swept_pl = self._swept_pl(self._motor.position())
        filled_pl = volume_pl - pocket_pl
        self._fills.append(_Fill(self._world.now_us, swept_pl, place_pl, filled_pl))
        self.fills += 1
        self._filled_pl += volume_pl
        self._removed_pl += residual_pl + pocket_pl
        _add(self._removed_pg, residual_pg)
        _add(self._given_pg, self._reservoir.fill.masses_pg)
        pocket_pg = masses_pg(pocket_pl, drugs)
        _add(self._removed_pg, pocket_pg)
        _add(self._given_pg, pocket_pg)
        detail = {"pocket_pl": pocket_pl} if pocket_pl else {}
        self._world.record("plant", "FILL", volume_pl=volume_pl, residual_pl=residual_pl, **detail)
        return residual_pl

    def save(self) -> dict[str, Any]:
        """Return the whole state, fit for JSON."""
        return {
            "stroke_appl": self._stroke_appl,
            "path": self._path.save(),
            "reservoir": self._reservoir.save(),
            "fill": list(self._fills[-1]),
            "filled_pl": self._filled_pl,
            "removed_pl": self._removed_pl,
            "given_pg": self._given_pg,
            "removed_pg": self._removed_pg,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `save` found it; motor and leak must have been restored before."""
        self._stroke_appl = state["stroke_appl"]
        self._path.restore(state["path"])
        self._reservoir.restore(state["reservoir"])
        self._fills = deque([_Fill(*state["fill"])], _FILLS_MAX)
        self._filled_pl = state["filled_pl"]
        self._removed_pl = state["removed_pl"]
        self._given_pg = dict(state["given_pg"])
        self._removed_pg = dict(state["removed_pg"])

    def _delivered_at(self, t_us: int) -> int:
        """Volume that had left the pump at an instant of the past hour, as far as remembered."""
        t_us = max(t_us, self._motor.remembered_us)
        swept_pl = self._stroked_pl(self._motor.position_before(t_us)) + self.leak.volume_at(t_us)
        for fill in reversed(self._fills):
            if fill.at_us <= t_us:
                return self._drawn_pl(fill, swept_pl)
        return self._fills[0].place_pl

    def _swept_pl(self, position: int) -> int:
        """Volume moved until now, rotor at `position`, with fluid in it or not."""
        return self._stroked_pl(position) + self.leak.volume_pl

    def _stroked_pl(self, position: int) -> int:
        """The part of it that strokes have moved."""
        return position * self._stroke_appl // (STROKE * _PPM)

    @staticmethod
    def _drawn_pl(fill: _Fill, swept_pl: int) -> int:
        """Place of the tape when so much has been moved: a fill gives no more than it has."""
        drawn_pl = swept_pl - fill.swept_pl
        return fill.place_pl + (drawn_pl if drawn_pl < fill.volume_pl else fill.volume_pl)


def _add(totals: dict[str, int], amounts: Any) -> None:
    for name, amount in amounts.items():
        totals[name] = totals.get(name, 0) + amount
