"""The whole pump - controller, alarms, log, physics - at the rate most pumps run at.

The reference is what no pump can beat in pure Python: a loop written by hand that wakes as often
as this pump must and works out nothing but when its next strokes are due.
"""

import math
from heapq import heappop, heappush
from typing import Final

from emulator.devices.plant import PlantSetup
from emulator.profile import Profile
from protocol.codes import (
    BolusBasal,
    EmergencyAction,
    ProgramKind,
    RateBasis,
    RatePer,
    TxnOp,
)
from protocol.messages import (
    FILL_NOT_TOLD,
    Drug,
    ProgramParameters,
    Rate,
    RefillParameters,
    Therapy,
)
from tools.emulated import EmulatedPump, build_pump
from tools.perf.figures import Effort, Measured, Samples, in_turns, seconds
from tools.programmer.client import Client
from tools.scenario.transport import WorldTransport

DAY_US: Final = 86_400_000_000
YEAR_DAYS: Final = 365
_PL_DAY: Final = 100_000_000
"""0.100 mL/day."""
_FILL_PL: Final = 40_000_000_000
_WALL_S: Final = 852_454_800
"""2027-01-04T09:00:00."""
_SHORTER: Final = 16
"""How many times shorter the short run is when growth is measured."""
THERAPY: Final = Therapy(
    (Drug("baclofen", 2_000_000_000),),
    ProgramKind.SIMPLE_CONTINUOUS,
    Rate(RateBasis.VOLUME_PL, RatePer.DAY, _PL_DAY),
    2_000_000,
    0,
    815_000,
    2_200_000,
    BolusBasal.CONTINUE,
    EmergencyAction.STOP,
    0,
)


def speed(effort: Effort) -> Measured:
    """Return simulated years per second, the pump's and the bare loop's."""
    years = effort.days / YEAR_DAYS
    pump, bare = in_turns(
        effort.repeats,
        lambda: years / run_s(effort.days),
        lambda: years / seconds(lambda: _bare_wakes(effort.days)),
    )
    return Measured(pump, bare, "bare wakes")


def growth(effort: Effort) -> Measured:
    """Return the exponent with which wall time grows with the days simulated; 1 is linear."""
    short = max(1, effort.days // _SHORTER)

    def exponent() -> float:
        return math.log(run_s(effort.days) / run_s(short)) / math.log(effort.days / short)

    return Measured(Samples(tuple(exponent() for _ in range(effort.repeats))))


def programmed(seed: int = 1) -> EmulatedPump:
    """Return a full rotor-40 that delivers 0.100 mL/day."""
    pump = build_pump(Profile.load("rotor-40"), PlantSetup(_FILL_PL), seed, _WALL_S)
    pump.board.power_on()
    client = _visit(pump)
    parameters = ProgramParameters(THERAPY, FILL_NOT_TOLD)
    client.commit(client.prepare(TxnOp.PROGRAM, parameters, client.status().generation))
    client.close()
    return pump


def refill(pump: EmulatedPump) -> None:
    """Fill the reservoir and tell the pump."""
    pump.board.plant.refill(_FILL_PL, ())
    client = _visit(pump)
    parameters = RefillParameters(_FILL_PL // 1000)
    client.commit(client.prepare(TxnOp.REFILL, parameters, client.status().generation))
    client.close()


def run_s(days: int) -> float:
    """Return the wall time that so many days of one pump take, seconds."""
    world = programmed().world
    return seconds(lambda: world.run_until(days * DAY_US))


def _visit(pump: EmulatedPump) -> Client:
    client = Client(WorldTransport(pump))
    client.open()
    return client


def _bare_wakes(days: int) -> int:
    """Wake at each batch, deliver it, find when the next one ends; return the strokes."""
    profile = Profile.load("rotor-40")
    stroke_pl = profile.device.stroke_pl
    batch = 2  # strokes within the ten minutes that a batch may last, at 0.100 mL/day
    queue = [(0, 0)]
    order = strokes = 0
    end_us = days * DAY_US
    while True:
        now_us, _ = heappop(queue)
        if now_us > end_us:
            return strokes
        strokes += batch
        order += 1
        heappush(queue, (-(-strokes * stroke_pl * DAY_US // _PL_DAY), order))
