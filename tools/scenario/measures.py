"""What an expectation can ask for: one table, measure name -> kind and how it is read.

`truth.*` is physics, `pump.*` what a status reply would say at that instant, `event.*` when the
pump logged a code, `programmer.*` what the programmer met. Reading takes no simulated time, logs
nothing and disturbs nothing. Values are exact: numbers are `Fraction`, absent is None.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from hal.interfaces import TonePattern
from protocol.codes import BolusKind, Code, Mode, ProgramKind
from tools import pump_measures
from tools.pump_measures import ACHIEVABLE, DOSE, PUMP, Kind, Value
from tools.scenario.invariants import MOVED, SAID
from tools.scenario.view import View
from tools.toml_file import suggestion


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can be read."""

    name: str
    kind: Kind
    of: Callable[[View], Value]
    doc: str

    def read(self, view: View) -> Value:
        """Return the value now; a pump without power says nothing."""
        if self.name.startswith("pump.") and not view.board.powered:
            return None
        return self.of(view)


@dataclass(frozen=True, slots=True)
class Family:
    """Measures that differ by the last part of their name: a drug or a code."""

    last: str
    """What the last part names: drug or CODE."""
    kind: Kind
    of: Callable[[View, str], Value]
    doc: str


def find(name: str, drugs: Collection[str]) -> Measure:
    """Return the measure of a name; `drugs` are those of the scenario. Raises ValueError."""
    if name in MEASURES:
        return MEASURES[name]
    for prefix, family in FAMILIES.items():
        if name.startswith(prefix):
            return _member(prefix, family, name.removeprefix(prefix), drugs)
    known = (*MEASURES, *(f"{prefix}<{family.last}>" for prefix, family in FAMILIES.items()))
    raise ValueError(f'"{name}": unknown measure{suggestion(name, known)}')


def every(drugs: Collection[str]) -> list[Measure]:
    """Return every measure there is, for these drugs, in the order of the tables."""
    members = {"drug": list(drugs), "CODE": [code.name for code in Code]}
    return [
        *MEASURES.values(),
        *(
            _member(prefix, family, last, drugs)
            for prefix, family in FAMILIES.items()
            for last in members[family.last]
        ),
    ]


def _member(prefix: str, family: Family, last: str, drugs: Collection[str]) -> Measure:
    known: Collection[str] = drugs if family.last == "drug" else Code.__members__
    if last not in known:
        raise ValueError(
            f'"{prefix}{last}": no such {family.last.lower()}{suggestion(last, known)}'
        )
    return Measure(f"{prefix}{last}", family.kind, lambda view: family.of(view, last), family.doc)


def _seconds(at_us: int | None) -> Fraction | None:
    return None if at_us is None else Fraction(at_us, 10**6)


def _sounding(view: View) -> str:
    return "none" if view.board.sounder.active is None else view.board.sounder.active.name.lower()


def _said(name: str) -> tuple[str, Measure]:
    """A measure of the status reply."""
    kind, of, doc = PUMP[name]
    return name, Measure(name, kind, lambda view: of(view.status), doc)


def _number(name: str, read: Callable[[View], Fraction | None], doc: str) -> tuple[str, Measure]:
    return name, Measure(name, Kind.NUMBER, read, doc)


def _text(name: str, read: Callable[[View], str | None], doc: str) -> tuple[str, Measure]:
    return name, Measure(name, Kind.TEXT, read, doc)


def _truth(name: str, read: Callable[[View], bool], doc: str) -> tuple[str, Measure]:
    return name, Measure(name, Kind.BOOLEAN, read, doc)


def _list(name: str, read: Callable[[View], tuple[str, ...]], doc: str) -> tuple[str, Measure]:
    return name, Measure(name, Kind.LIST, read, doc)


MEASURES: Final[dict[str, Measure]] = dict(
    (
        _number(
            "truth.delivered_ul", lambda v: Fraction(v.board.plant.delivered_pl, 10**6),
            "volume that has left the pump since t = 0",
        ),
        _number(
            "truth.reservoir_ul", lambda v: Fraction(v.board.plant.reservoir_pl, 10**6),
            "volume in the reservoir above the unextractable residual",
        ),
        _number(
            "truth.flow_ul_h", lambda v: Fraction(v.board.plant.flow_pl_h, 10**6),
            "volume that left the pump in the trailing hour",
        ),
        _number(
            "truth.rotor_deg", lambda v: Fraction(v.board.plant.rotor_deg),
            "position of the rotor as an X-ray shows it, 0 to 359",
        ),
        _number(
            "truth.battery_mah", lambda v: Fraction(v.board.battery.left_nah, 10**6),
            "charge left in the battery",
        ),
        _truth(
            "truth.supply_cut", lambda v: not v.board.supply.enabled,
            "whether the motor has no supply",
        ),
        *map(_said, PUMP),
        _number(
            ACHIEVABLE, lambda v: pump_measures.achievable_dose_per_day_ug(v.therapy, v.device),
            "of the primary drug, with whole strokes in 24 h",
        ),
        _list("pump.log", lambda v: v.log, "codes that its log still holds, oldest first"),
        _text("sound.active", _sounding, "tone that sounds at its interval"),
        _number(
            "sound.count.critical",
            lambda v: Fraction(v.board.sounder.starts[TonePattern.CRITICAL]),
            "critical tones begun",
        ),
        _number(
            "sound.count.non_critical",
            lambda v: Fraction(v.board.sounder.starts[TonePattern.NON_CRITICAL]),
            "non-critical tones begun",
        ),
        _list(
            "programmer.refusals", lambda v: v.refusals,
            "what became of each act that was not done, oldest first",
        ),
        _list("programmer.warnings", lambda v: v.warnings, "what it warned of, oldest first"),
        _number(
            "programmer.refill_discrepancy_percent", lambda v: v.visits.discrepancy_percent,
            "at the last refill: how much more the pump had given than it believed",
        ),
        _number(
            "programmer.prime_ul", lambda v: v.visits.prime_ul,
            "volume of the last prime that was asked for",
        ),
        _number(
            "programmer.bridge_ul", lambda v: v.visits.bridge_ul,
            "volume of the last bridge that was asked for",
        ),
        _number("programmer.bridge_s", lambda v: v.visits.bridge_s, "how long it was to last"),
        _number(
            "ledger.violations", lambda v: Fraction(v.books.violated()),
            "how often, after any event, volume or mass did not balance (filled = delivered + in "
            "path + left + lost), or a bolus (programmed = delivered + undelivered + refused); not "
            "0: a bug in itpump",
        ),
        _number(
            "invariants.violations", lambda v: Fraction(v.invariants.count),
            "how often one of these did not hold: " + "; ".join((*MOVED, *SAID)) + "; within a "
            "boot log records are numbered without a gap; the ledgers. Looked at after every "
            "event; not 0: a bug in itpump",
        ),
    )
)  # fmt: skip
"""Name -> measure."""

FAMILIES: Final[dict[str, Family]] = {
    "truth.tip_ug.": Family(
        "drug", Kind.NUMBER, lambda v, drug: Fraction(v.board.plant.tip_pg(drug), 10**6),
        "mass that has left the catheter tip since t = 0",
    ),
    DOSE: Family(
        "drug", Kind.NUMBER,
        lambda v, drug: pump_measures.dose_per_day_ug(v.therapy, v.device, drug),
        "prescribed dose",
    ),
    "pump.log_count.": Family(
        "CODE", Kind.NUMBER, lambda v, code: Fraction(v.log.count(code)),
        "how often the code is in `pump.log`",
    ),
    "event.first.": Family(
        "CODE", Kind.NUMBER, lambda v, code: _seconds(v.first_us.get(code)),
        "when the pump first logged the code; absent: never",
    ),
    "event.last.": Family(
        "CODE", Kind.NUMBER, lambda v, code: _seconds(v.last_us.get(code)),
        "when it last did",
    ),
}  # fmt: skip
"""First part of a name -> measures."""

WORDS: Final[dict[str, Collection[str]]] = {
    "pump.mode": [mode.name.lower() for mode in Mode],
    "pump.program": [kind.name.lower() for kind in ProgramKind],
    "pump.bolus": [kind.name.lower() for kind in BolusKind],
    "sound.active": ["none", "critical", "non_critical"],
}
"""The words a text measure can say, where they are few: any other in `is` is a mistake."""
