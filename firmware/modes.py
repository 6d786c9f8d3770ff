"""The mode machine: one flat table, and nothing else changes the mode.

A (mode, event) pair that is not in the table is refused: `ModeRefused` is raised and the mode
stays as it was. `docs/modes.md` is generated from `TRANSITIONS`.
"""

import enum
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from transitions import Machine, MachineError

from protocol.codes import Mode


class Event(enum.Enum):
    """What can ask for another mode."""

    DELIVER_BASAL = "deliver_basal"
    DELIVER_MINIMUM = "deliver_minimum"
    DELIVER_BRIDGE = "deliver_bridge"
    START_BOLUS = "start_bolus"
    START_PRIME = "start_prime"
    STALL = "stall"
    STOP = "stop"
    FAULT = "fault"
    END_SERVICE = "end_service"


class Row(NamedTuple):
    """From any of `sources`, `event` leads to `to`."""

    event: Event
    sources: tuple[Mode, ...]
    to: Mode
    why: str


class ModeRefused(Exception):
    """The event is not taken in this mode. Nothing changed."""


_MOVING: Final = (Mode.BASAL, Mode.MINIMUM_RATE, Mode.BOLUS, Mode.BRIDGE, Mode.PRIME)
_DELIVERING: Final = (*_MOVING, Mode.STALLED)
_ALIVE: Final = (Mode.SELF_TEST, Mode.STOPPED, *_DELIVERING)

TRANSITIONS: Final = (
    Row(Event.DELIVER_BASAL, _ALIVE, Mode.BASAL, "program, resume, end of bolus, bridge or stall"),
    Row(
        Event.DELIVER_MINIMUM, _ALIVE, Mode.MINIMUM_RATE,
        "minimum-rate program, low-battery reset, no trusted prescription",
    ),
    Row(Event.DELIVER_BRIDGE, _ALIVE, Mode.BRIDGE, "bridge committed, or what it still owes"),
    Row(Event.START_BOLUS, (Mode.BASAL, Mode.MINIMUM_RATE), Mode.BOLUS, "bolus committed"),
    Row(Event.START_PRIME, (Mode.BASAL, Mode.MINIMUM_RATE), Mode.PRIME, "prime committed"),
    Row(
        Event.STALL, _MOVING, Mode.STALLED,
        "commanded strokes are not seen to move the rotor",
    ),
    Row(Event.STOP, _ALIVE, Mode.STOPPED, "commanded, empty reservoir, nothing to deliver"),
    Row(Event.FAULT, _ALIVE, Mode.SAFE_STATE, "a fault that delivery must not go on with"),
    Row(
        Event.END_SERVICE, (*_ALIVE, Mode.SAFE_STATE), Mode.END_OF_SERVICE,
        "ERI + 90 days, service cap, or voltage that cannot be held",
    ),
)  # fmt: skip

MODES: Final[dict[Mode, tuple[str, str]]] = {
    Mode.SELF_TEST: ("off", "memory, supply and prescription are checked after every boot"),
    Mode.STOPPED: ("off", "with a reason that can be read"),
    Mode.BASAL: ("on", "the prescribed rate"),
    Mode.MINIMUM_RATE: ("on", "the least the pump gives while it runs"),
    Mode.BOLUS: ("on", "a dose on top of the basal, or in its place"),
    Mode.BRIDGE: ("on", "the old rate, until the path is free of the old concentration"),
    Mode.PRIME: ("on", "the path's volume, the basal paused"),
    Mode.STALLED: ("on", "strokes go on being commanded at the due pace"),
    Mode.SAFE_STATE: ("supply cut", "latched fault"),
    Mode.END_OF_SERVICE: ("supply cut", "for good"),
}
"""What the motor does in each mode, and what the mode is."""

PUMPING: Final = frozenset(_DELIVERING)


class ModeMachine:
    """Holds the mode. Starts in SELF_TEST, as every boot does."""

    def __init__(self) -> None:
        self.mode = Mode.SELF_TEST
        self._machine = Machine(
            model=self,
            model_attribute="mode",
            states=list(MODES),
            initial=Mode.SELF_TEST,
            transitions=[
                {"trigger": row.event.value, "source": list(row.sources), "dest": row.to}
                for row in TRANSITIONS
            ],
            auto_transitions=False,
            queued=True,
            send_event=True,
        )

    def dispatch(self, event: Event) -> None:
        """Take the event. Raises ModeRefused, with nothing changed, where the table has no row."""
        trigger: Callable[[], Any] = getattr(self, event.value)
        try:
            trigger()
        except MachineError:
            raise ModeRefused(f"{event.name} in {self.mode.name}") from None
