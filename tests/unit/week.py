"""Flex prescriptions for tests, and what they give: summed up second by second's worth."""

from dataclasses import replace
from fractions import Fraction

from nurse import START_WALL_S, therapy, volume_per_day

from protocol.codes import ProgramKind, RateBasis, RatePer
from protocol.messages import AT_ONCE, FlexStep, Periodic, Rate, Therapy

MONDAY_S = START_WALL_S - 33 * 3600
"""Midnight before the day the test pump's clock begins at, a Tuesday at nine."""
EVERY_DAY, WORKING_DAYS, WEEKEND = 0b1111111, 0b0011111, 0b1100000
SECOND_US = 1_000_000
UG_PG = 1_000_000
PL_PER_UG = 500_000
"""Of 2000 µg/mL."""


def flex(*steps: tuple[int, int, int]) -> Therapy:
    """A flex prescription of steps (days, minute, µg/h)."""
    return replace(
        therapy(),
        program=ProgramKind.FLEX,
        rate=Rate(RateBasis.MASS_PG, RatePer.HOUR, 0),
        steps=tuple(FlexStep(days, minute, amount * UG_PG) for days, minute, amount in steps),
    )


CASE_5 = flex((EVERY_DAY, 360, 10), (EVERY_DAY, 1080, 20), (EVERY_DAY, 1320, 5))
"""06-18 10 µg/h, 18-22 20 µg/h, 22-06 5 µg/h."""
PERIODIC = replace(
    therapy(volume_per_day(6_000)),
    program=ProgramKind.PERIODIC,
    periodic=Periodic(RateBasis.VOLUME_PL, 10_000_000, 300, 7200, AT_ONCE),
)
"""10 µL over 5 min every 2 h, over the minimum rate."""


def ug_h(wanted: Therapy, wall_s: int) -> int:
    """What flows at a second: the newest step of the last seven days, looked for day by day."""
    days, second = divmod(wall_s - MONDAY_S, 86_400)
    for back in range(8):
        of_day = [s for s in wanted.steps if s.days >> (days - back) % 7 & 1]
        begun = [s for s in of_day if back or s.from_min * 60 <= second]
        if begun:
            return max(begun, key=lambda s: s.from_min).amount // UG_PG
    raise AssertionError("no step")


def owed_nl(wanted: Therapy, from_us: int, to_us: int) -> Fraction:
    """What it gives between two instants (wall clock, µs), minute by minute."""
    total, here = Fraction(0), from_us
    while here < to_us:
        until = min(to_us, (here // (60 * SECOND_US) + 1) * 60 * SECOND_US)
        rate = ug_h(wanted, here // SECOND_US) * PL_PER_UG
        total += Fraction(rate * (until - here), 3_600_000_000_000)
        here = until
    return total
