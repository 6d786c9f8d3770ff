"""Was the path primed already? By the event log, which every boot has.

A second prime of a full path pushes all that it holds into the patient within minutes. The pump
knows of a prime that it gave to its end, by today's volume of the path (a new catheter, or one that
was measured anew, has another), since the last refill. What a surgeon does in between it cannot
know: so this is a soft limit, to be passed by who knows.
"""

from firmware.device import DeviceConfig
from firmware.event_log import EventLog
from firmware.limits import Passed
from firmware.path import prime_pl
from firmware.path_checks import PRIMES
from protocol.codes import BolusKind, Code
from protocol.errors import LimitId
from protocol.messages import Therapy


def primed_limits(
    log: EventLog, kind: BolusKind, therapy: Therapy, config: DeviceConfig
) -> list[Passed]:
    """Return the soft limit that a prime passes where the path is full of drug already."""
    if not _primed(log, therapy, config):
        return []
    volume_nl = prime_pl(kind, therapy, config) // 1000
    return [Passed(LimitId.PRIMED_NL, False, 1, volume_nl, 0)]


def _primed(log: EventLog, therapy: Therapy, config: DeviceConfig) -> bool:
    stroke_pl = config.stroke_pl
    volumes = {kind: prime_pl(kind, therapy, config) // stroke_pl * stroke_pl for kind in PRIMES}
    to_its_end = False
    for record in log.newest_first():
        if record.code is Code.REFILLED:
            return False
        if record.code in (Code.BOLUS_DONE, Code.BOLUS_ENDED_EARLY):
            to_its_end = record.code is Code.BOLUS_DONE
        elif record.code is Code.BOLUS_STARTED:
            if to_its_end and record.a * 1000 == volumes.get(BolusKind(record.b)):
                return True
            to_its_end = False
    return False
