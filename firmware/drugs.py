"""The drug table: what is usual, what needs a second look and what is never right, as data.

Every number has its evidence and its source. Verified: read at the source named. Recalled: from
the document named, not read again. Own default: ours, where no source was found; correct it before
relying on it. Doses are intrathecal, per 24 h, for adults. The table catches slips of a pen, it
does not prescribe: nothing here is medical advice. `docs/drugs.md` is generated from it.
"""

import enum
from dataclasses import dataclass
from typing import Final

_UG: Final = 10**6
_MG: Final = 10**9


class Evidence(enum.Enum):
    """How far a number can be trusted."""

    VERIFIED = "verified"
    RECALLED = "recalled"
    DEFAULT = "own default"


@dataclass(frozen=True, slots=True)
class Known:
    """One number with where it comes from."""

    value: int
    evidence: Evidence
    source: str
    """A key of SOURCES; "" for our own default."""


def _verified(value: int, source: str) -> Known:
    return Known(value, Evidence.VERIFIED, source)


def _recalled(value: int, source: str) -> Known:
    return Known(value, Evidence.RECALLED, source)


def _default(value: int) -> Known:
    return Known(value, Evidence.DEFAULT, "")


SOURCES: Final[dict[str, tuple[str, str]]] = {
    "baclofen": (
        "Baclofen (Lioresal, Gablofen), dosing reference",
        "https://minclinic.eu/drugs/drugs_eng/Drugs_reference/lioresal-baclofen-343335.htm",
    ),
    "ranges": (
        "Intrathecal therapy for nonmalignant and malignant abdominal pain: one centre's ranges",
        "https://aneskey.com/intrathecal-therapy-for-nonmalignant-and-malignant-abdominal-pain",
    ),
    "ziconotide": (
        "Ziconotide (Prialt), maker's page on pump use",
        "https://www.prialt.com/for-healthcare-professionals/intrathecal-pump-use-drug-delivery/",
    ),
    "consensus": (
        "Deer et al., Polyanalgesic Consensus Conference, Neuromodulation 2017; 20: 96-132",
        "https://doi.org/10.1111/ner.12538",
    ),
    "labels": ("The drugs' prescribing information", ""),
    "refills": (
        "University of Wisconsin, nursing page on pump refills",
        "https://uconnect.wisc.edu/cosmos/swiftbot/clinical/nursing-hub/intrathecal-pump/pump-refills/",
    ),
    "approval": (
        "SynchroMed II approval release, on drug stability",
        "http://www.spinalcordinjuryzone.com/news/3287/medtronic-announces-fda-approval-of-smaller-"
        "implantable-drug-pump-for-chronic-pain-severe-spasticity",
    ),
}
"""Name and address of each source."""


@dataclass(frozen=True, slots=True)
class DrugLimits:
    """One row. Soft limits can be passed on purpose, hard ones never; reaching one is allowed."""

    name: str
    concentration_min_pg_ml: Known
    """Lowest concentration in use: soft."""
    concentration_max_pg_ml: Known
    """Highest concentration in use: soft."""
    day_soft_pg: Known
    """Most per 24 h: soft."""
    day_hard_pg: Known
    """Most per 24 h: hard."""
    rise_percent: Known | None = None
    """Most that one new prescription may raise the dose by: soft."""
    fall_percent: Known | None = None
    """Most that one new prescription may lower the dose by: soft."""
    start_pg: Known | None = None
    """Most per 24 h when the drug is new to the patient: soft."""
    step_pg: Known | None = None
    """Most that one new prescription may add per 24 h: soft."""
    stability_days: Known | None = None
    """How long it keeps in a pump: the shorter where sources differ. Information only."""
    note: str = ""

    def __post_init__(self) -> None:
        """Hold the row to its own order."""
        if not 0 < self.concentration_min_pg_ml.value < self.concentration_max_pg_ml.value:
            raise ValueError(f"{self.name}: concentrations out of order")
        if not 0 < self.day_soft_pg.value <= self.day_hard_pg.value:
            raise ValueError(f"{self.name}: doses out of order")


_DOUBLE: Final = _default(100)
_HALVE: Final = _default(50)

CONCENTRATION_FACTOR: Final = 10
"""Hard, own default: a concentration so far outside the usual range is a unit or decimal slip."""
FLOW_JUMP_FACTOR: Final = 5
"""Hard, own default: most that an edit of the primary's concentration may move the flow.

Usual changes of concentration move it up to fourfold (500 to 2000 ug/mL); a decimal slip tenfold.
"""

DRUGS: Final[dict[str, DrugLimits]] = {
    row.name: row
    for row in (
        DrugLimits(
            "baclofen",
            concentration_min_pg_ml=_verified(50 * _UG, "baclofen"),
            concentration_max_pg_ml=_verified(2000 * _UG, "baclofen"),
            day_soft_pg=_verified(1000 * _UG, "baclofen"),
            day_hard_pg=_default(2000 * _UG),
            rise_percent=_verified(40, "baclofen"),
            fall_percent=_verified(20, "baclofen"),
            stability_days=_verified(180, "approval"),
            note="change at a refill, spinal origin; cerebral origin: up to 20 % up. "
            "50 ug/mL is for screening.",
        ),
        DrugLimits(
            "ziconotide",
            concentration_min_pg_ml=_recalled(5 * _UG, "labels"),
            concentration_max_pg_ml=_recalled(100 * _UG, "labels"),
            day_soft_pg=_verified(19_200_000, "ziconotide"),
            day_hard_pg=_verified(19_200_000, "ziconotide"),
            start_pg=_verified(2_400_000, "ziconotide"),
            step_pg=_verified(2_400_000, "ziconotide"),
            stability_days=_verified(14, "ziconotide"),
            note="14 d for the first fill; later 84 d undiluted, 40 d diluted",
        ),
        DrugLimits(
            "morphine",
            concentration_min_pg_ml=_default(500 * _UG),
            concentration_max_pg_ml=_recalled(25 * _MG, "labels"),
            day_soft_pg=_verified(20 * _MG, "ranges"),
            day_hard_pg=_default(40 * _MG),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
            stability_days=_verified(90, "refills"),
            note="another source gives 180 d",
        ),
        DrugLimits(
            "hydromorphone",
            concentration_min_pg_ml=_default(100 * _UG),
            concentration_max_pg_ml=_recalled(15 * _MG, "consensus"),
            day_soft_pg=_recalled(10 * _MG, "consensus"),
            day_hard_pg=_verified(25 * _MG, "ranges"),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
        ),
        DrugLimits(
            "fentanyl",
            concentration_min_pg_ml=_default(50 * _UG),
            concentration_max_pg_ml=_recalled(10 * _MG, "consensus"),
            day_soft_pg=_recalled(1000 * _UG, "consensus"),
            day_hard_pg=_default(2000 * _UG),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
        ),
        DrugLimits(
            "sufentanil",
            concentration_min_pg_ml=_default(10 * _UG),
            concentration_max_pg_ml=_recalled(5 * _MG, "consensus"),
            day_soft_pg=_verified(100 * _UG, "ranges"),
            day_hard_pg=_recalled(500 * _UG, "consensus"),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
        ),
        DrugLimits(
            "bupivacaine",
            concentration_min_pg_ml=_default(1 * _MG),
            concentration_max_pg_ml=_recalled(30 * _MG, "consensus"),
            day_soft_pg=_verified(20 * _MG, "ranges"),
            day_hard_pg=_default(40 * _MG),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
        ),
        DrugLimits(
            "clonidine",
            concentration_min_pg_ml=_default(20 * _UG),
            concentration_max_pg_ml=_recalled(1000 * _UG, "consensus"),
            day_soft_pg=_recalled(600 * _UG, "consensus"),
            day_hard_pg=_verified(2000 * _UG, "ranges"),
            rise_percent=_DOUBLE,
            fall_percent=_HALVE,
            note="stopping it at once can raise the blood pressure",
        ),
    )
}
"""Name -> limits. A drug that is not here has none but the pump's own."""


def find(name: str) -> DrugLimits | None:
    """Return the row of a drug; what follows the first word (a salt, a brand) does not matter."""
    words = name.lower().split()
    return DRUGS.get(words[0]) if words else None
