"""The pump's wall clock as people write it: local time, no zone, whole seconds."""

import datetime
from typing import Final

from protocol.messages import WALL_EPOCH
from tools import toml_file
from tools.quantity import QuantityError, duration_us, shown

_EPOCH: Final = datetime.datetime.fromisoformat(WALL_EPOCH)
WALL_MAX_S: Final = 0xFFFFFFFF


def since_epoch_s(moment: datetime.datetime) -> int:
    """Return an instant as seconds since 2000-01-01."""
    return (moment - _EPOCH) // datetime.timedelta(seconds=1)


def wall_s(value: object) -> int:
    """Return a wall-clock time of a TOML file in seconds. Raises ValueError."""
    moment = toml_file.local_time(value)
    seconds = since_epoch_s(moment)
    if not 0 < seconds <= WALL_MAX_S:
        raise ValueError(f"{moment.isoformat()}: the pump's clock runs from 2000 to 2136")
    return seconds


def typed_s(text: str) -> int:
    """Return a wall-clock time of a command line, e.g. 2027-01-04T09:00. Raises QuantityError.

    A date alone is none: nobody who leaves out the time of day means midnight.
    """
    needed = f"{shown(text)}: a wall-clock time is needed, e.g. 2027-01-04T09:00:00"
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        why = "" if "Invalid isoformat" in str(error) else f" ({error})"
        raise QuantityError(needed + why) from None
    if ":" not in text:
        raise QuantityError(needed)
    try:
        return wall_s(moment)
    except ValueError as error:
        raise QuantityError(str(error)) from None


def shift_s(value: object) -> int:
    """Return a shift in whole seconds, such as "1h" or "-30min". Raises QuantityError."""
    sign, rest = 1, value
    if isinstance(value, str) and value[:1] in ("+", "-"):
        sign, rest = (-1 if value[0] == "-" else 1), value[1:]
    whole, part = divmod(duration_us(rest), 10**6)
    if part or not whole:
        raise QuantityError(f"{shown(value)}: whole seconds, at least one")
    return sign * whole
