"""The volume that a level sensor shows, beside the pump's count; nothing where there is no sensor.

Whether the two contradict each other is the pump's own judgement: it knows its sensor's tolerance.
"""

from protocol.codes import Code
from protocol.messages import NOT_SENSED, Status
from tools.programmer import format as text


def volume_nl(status: Status) -> int | None:
    """Return what the sensor shows, nL; None: there is none."""
    return None if status.sensed_nl == NOT_SENSED else status.sensed_nl


def volume(status: Status) -> str | None:
    """Return what the sensor shows, in words."""
    sensed_nl = volume_nl(status)
    return None if sensed_nl is None else f"{text.millilitres(sensed_nl)} by its level sensor"


def contradiction(status: Status) -> str | None:
    """Return what to say while the pump holds that sensor and count disagree."""
    if all(alarm.code is not Code.SENSOR_DISAGREE for alarm in status.alarms):
        return None
    less = status.sensed_nl < status.computed_nl
    why = "a leak, or more given than counted" if less else "less given than counted"
    return (
        f"the level sensor shows {text.millilitres(status.sensed_nl)}, the pump counts "
        f"{text.millilitres(status.computed_nl)}: a fill that was not what the pump was told, "
        f"{why}, or a wrong sensor"
    )
