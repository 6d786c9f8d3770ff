"""What can be done in a scenario: each a small frozen dataclass, made by `actions`."""

import re
from dataclasses import dataclass

from hal.interfaces import ResetCause
from protocol.codes import Code
from protocol.messages import BolusParameters, Drug
from tools.scenario.faults import Parameters
from tools.therapy_table import TherapyTable
from tools.toml_file import Place


@dataclass(frozen=True, slots=True)
class Step:
    """Something done at one instant; `at_us` counts from t = 0."""

    at_us: int
    place: Place

    @property
    def name(self) -> str:
        """What the file says to do, such as "patient_bolus"."""
        return re.sub("(?<=.)(?=[A-Z])", "_", type(self).__name__).lower()


@dataclass(frozen=True, slots=True)
class Program(Step):
    """A clinician programs a therapy, whole or partial."""

    therapy: TherapyTable
    override: bool


@dataclass(frozen=True, slots=True)
class Bolus(Step):
    """A clinician gives a bolus, primes or bridges."""

    parameters: BolusParameters


@dataclass(frozen=True, slots=True)
class PatientBolus(Step):
    """The patient asks for what the prescription grants."""


@dataclass(frozen=True, slots=True)
class Stop(Step):
    """A clinician stops the pump."""


@dataclass(frozen=True, slots=True)
class Resume(Step):
    """A clinician starts it again."""


@dataclass(frozen=True, slots=True)
class Interrogate(Step):
    """A clinician's real read, which the pump logs."""


@dataclass(frozen=True, slots=True)
class Refill(Step):
    """All residual is taken out, `injected_nl` goes in, and the pump is told."""

    injected_nl: int
    drugs: tuple[Drug, ...]
    """What goes in; empty: the drugs of the prescription."""
    residual_nl: int | None
    """The residual as the clinician types it; None: the truth."""
    entered_nl: int | None
    """The volume that the pump is told; None: it is told nothing."""


@dataclass(frozen=True, slots=True)
class SetClock(Step):
    """A clinician sets the pump's wall clock: to a time, or by a shift."""

    to_s: int | None
    by_s: int


@dataclass(frozen=True, slots=True)
class Disconnect(Step):
    """The link drops right after the next answer to the message of that name."""

    after: str


@dataclass(frozen=True, slots=True)
class ClearAlarm(Step):
    """A clinician clears a latched alarm: selects it and confirms."""

    code: Code


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """The controller resets; memory in flash and the wall clock survive."""

    cause: ResetCause


@dataclass(frozen=True, slots=True)
class PowerCut(Step):
    """The pump is without power for a while."""

    duration_us: int


@dataclass(frozen=True, slots=True)
class Inject(Step):
    """A fault begins; it lasts until cleared, or for `for_us`."""

    fault: str
    parameters: Parameters
    for_us: int | None


@dataclass(frozen=True, slots=True)
class Clear(Step):
    """A fault ends."""

    fault: str
