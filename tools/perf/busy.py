"""The whole pump at its busiest: half the time flex, half periodic, with boluses and noise.

Flex has 13 steps a day, periodic a bolus every two hours. Throughout, the patient takes four
boluses a day, each in a session of its own over a link that flips one bit in 10,000. That is the
noise there is today: sensors have none. The reference is the same pump left alone at one rate.
"""

from dataclasses import replace
from typing import Final

from firmware.flow import DAY_US, HOUR_US
from protocol.codes import BolusKind, LockoutFrom, ProgramKind, RateBasis, RatePer, Role, TxnOp
from protocol.messages import (
    AT_ONCE,
    FILL_NOT_TOLD,
    FLEX_STEPS_MAX,
    BolusParameters,
    FlexStep,
    PatientBolus,
    Periodic,
    ProgramParameters,
    Rate,
    Therapy,
)
from tools.emulated import EmulatedPump
from tools.perf import pump as quiet
from tools.perf.figures import Effort, Measured, in_turns, seconds
from tools.programmer.client import Client
from tools.scenario.transport import WorldTransport

BER_PPB: Final = 100_000
"""One bit in 10,000."""
VISITS_H: Final = (3, 9, 15, 21)
"""Hours of the day at which the patient asks; never those of a periodic bolus."""
_EVERY_DAY: Final = 0b1111111
_STEP_MIN: Final = 24 * 60 // FLEX_STEPS_MAX
_STEPS_PL_H: Final = (3_000_000, 5_000_000)
"""In turn: 0.1 mL/day in all, as the quiet pump gives."""
_PATIENT: Final = PatientBolus(RateBasis.VOLUME_PL, 2_000_000, 300, 3600, LockoutFrom.START, 6)
"""2 uL over 5 min."""
_FLEX: Final = replace(
    quiet.THERAPY,
    program=ProgramKind.FLEX,
    rate=Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0),
    steps=tuple(
        FlexStep(_EVERY_DAY, step * _STEP_MIN, _STEPS_PL_H[step % 2])
        for step in range(FLEX_STEPS_MAX)
    ),
    patient=_PATIENT,
)
_PERIODIC: Final = replace(
    quiet.THERAPY,
    program=ProgramKind.PERIODIC,
    rate=Rate(RateBasis.VOLUME_PL, RatePer.DAY, 48_000_000),
    periodic=Periodic(RateBasis.VOLUME_PL, 5_000_000, 300, 7200, AT_ONCE),
    patient=_PATIENT,
)
_REQUEST: Final = BolusParameters(BolusKind.PATIENT, RateBasis.VOLUME_PL, 0, 0, 0)


def speed(effort: Effort) -> Measured:
    """Return simulated years per second, the busy pump's and the quiet one's."""
    years = effort.days / quiet.YEAR_DAYS
    busy, alone = in_turns(
        effort.repeats,
        lambda: years / seconds(lambda: live(effort.days)),
        lambda: years / quiet.run_s(effort.days),
    )
    return Measured(busy, alone, "quiet pump")


def live(days: int) -> EmulatedPump:
    """Return a pump after so many busy days. Raises Refused when it refuses one of its boluses."""
    pump = quiet.programmed()
    client = Client(WorldTransport(pump), random_bits=pump.world.stream("programmer").getrandbits)
    for therapy, half in ((_FLEX, days // 2), (_PERIODIC, days - days // 2)):
        _program(pump, client, therapy)
        pump.board.link.set_noise(BER_PPB)
        for _ in range(half):
            _day(pump, client)
        pump.board.link.set_noise(0)
    return pump


def _program(pump: EmulatedPump, client: Client, therapy: Therapy) -> None:
    quiet.refill(pump)
    client.open()
    wanted = ProgramParameters(therapy, FILL_NOT_TOLD)
    client.commit(client.prepare(TxnOp.PROGRAM, wanted, client.status().generation))
    client.close()


def _day(pump: EmulatedPump, client: Client) -> None:
    world = pump.world
    midnight_us = world.now_us
    for hour in VISITS_H:
        world.run_until(midnight_us + hour * HOUR_US)
        client.open(Role.PATIENT)
        client.commit(client.prepare(TxnOp.BOLUS, _REQUEST, client.status().generation))
        client.close()
    world.run_until(midnight_us + DAY_US)
