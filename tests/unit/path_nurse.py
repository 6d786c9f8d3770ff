"""Worked cases 3 and 4 of the fluid path: a pump, its catheter and two solutions."""

from dataclasses import replace

from nurse import DRUG, STROKE_NL, Nurse, therapy

from emulator.devices.fluid import Drug as Solute
from protocol.codes import (
    BolusKind,
    RateBasis,
    TxnOp,
)
from protocol.messages import BolusParameters, Drug, RefillParameters, Therapy, TxnResult

PATH_NL = 319_300
CATHETER_PL = 179_300_000
FILL_NL = 40_000_000
WEAK = Drug(DRUG.name, 500_000_000)
"""500 µg/mL: 300 µg/day are 0.600 mL/day of it, and 0.150 mL/day of the 2000 µg/mL after it."""
STRONG = DRUG
BRIDGE_US = (12 * 3600 + 46 * 60 + 19) * 10**6 + 200_000
"""Worked case 4: 12 h 46 min 19.2 s."""
STROKE_PG = STROKE_NL * 2_000
"""Mass of one stroke of the stronger solution."""


def of(drug: Drug, **over: object) -> Therapy:
    return replace(therapy(), drugs=(drug,), **over)  # type: ignore[arg-type]


def solute(drug: Drug) -> Solute:
    return Solute(drug.name, drug.concentration_pg_ml)


def running(drug: Drug = STRONG, **plant: object) -> Nurse:
    """A pump on 300 µg/day, its path full of the same."""
    nurse = Nurse(drugs=(solute(drug),), catheter_pl=CATHETER_PL, **plant)  # type: ignore[arg-type]
    nurse.program(of(drug), FILL_NL)
    return nurse


def dose(nurse: Nurse, kind: BolusKind, amount: int = 0, duration_us: int = 0) -> TxnResult:
    """Ask for a prime or a bridge; its amount is mass."""
    wanted = BolusParameters(kind, RateBasis.MASS_PG, amount, duration_us, 0)
    return nurse.do(TxnOp.BOLUS, wanted)


def change(nurse: Nurse, drug: Drug = STRONG, **over: object) -> None:
    """Another concentration at one instant: needle, then programmer."""
    nurse.board.plant.refill(FILL_NL * 1000, (solute(drug),))
    nurse.do(TxnOp.REFILL, RefillParameters(FILL_NL))
    nurse.program(of(drug, **over))
