"""What the board is, and how good the line to it is. The tolerances come from what is found here.

The kit attaches and listens for a while as an idle controller does: a Tick every 100 ms gives a
round trip, every report a stamp of the board's clock.
"""

from dataclasses import replace
from typing import Final, NamedTuple

from hal.errors import HalLost, HalMismatch
from hal.serial_board import SerialBoard
from protocol.board_messages import DICTIONARY_ID, NO_GUARD, TICK_INTERVAL_US, Capability
from tools.hil.checks import (
    BATTERY_MV,
    BATTERY_SPREAD,
    DAMAGED_MAX,
    DRIFT_MAX_PPM,
    MARGIN_US,
    REPORTS_MIN_PER_S,
    RTT_MAX_US,
    Judge,
    Tolerances,
)
from tools.hil.lateness import LOOK_US, Lateness
from tools.hil.target import Target

LISTEN_US: Final = 3_000_000
_LISTEN_TRIES: Final = 3
"""For as long as it is this machine that loses the board."""
FLASH_MIN: Final = 576 * 1024
"""What the controller's layout needs; 4 KiB sectors."""
SECTOR: Final = 4096
_CABLE: Final = "baud rate of both ends, ground, length of the cable"


class Line(NamedTuple):
    """What was found."""

    identity: dict[str, str]
    judge: Judge
    tolerances: Tolerances


def examine(target: Target, board: SerialBoard) -> Line:
    """Attach, read the identity, listen. Raises HalLost, HalMismatch."""
    target.attach()
    identity = _identity(board)
    heard = _listen_in_time(target, board)
    rtt_us = sorted(heard.rtt_us)
    p99_us = rtt_us[-1 - len(rtt_us) // 100]
    tolerances = Tolerances(p99_us, MARGIN_US if target.real_time else 0)
    judge = Judge("line", tolerances)
    median_us = rtt_us[len(rtt_us) // 2]
    judge.at_most(
        f"round trip (min {rtt_us[0] / 1e3:.1f}, p99 {p99_us / 1e3:.1f} ms), median",
        RTT_MAX_US / 1000, median_us / 1000, "ms",
        "agent's loop: answer a Tick at once; a USB adapter's latency timer: set it to 1 ms",
    )  # fmt: skip
    judge.at_least(
        "reports", REPORTS_MIN_PER_S, round(heard.reports * 1e6 / heard.for_us, 1), "a second",
        "a Report every 50 ms, whatever else there is to do",
    )  # fmt: skip
    jitter_ppm = heard.spread_us * 1_000_000 // heard.for_us
    judge.at_most(
        "clock drift", DRIFT_MAX_PPM + jitter_ppm, abs(heard.drift_ppm), "ppm",
        "the board's clock: a crystal, and a counter that does not lose its overflow",
    )  # fmt: skip
    damaged = round(100 * heard.damaged, 2)
    judge.at_most("damaged frames", DAMAGED_MAX * 100, damaged, "%", _CABLE)
    if damaged > DAMAGED_MAX * 100:
        bad_line = f"the line first, {damaged:g} % of its frames are damaged: {_CABLE}"
        tolerances = replace(tolerances, bad_line=bad_line)
    _flash(judge, board)
    _battery(judge, board, heard.rest_mv)
    return Line(identity, judge, tolerances)


class _Heard(NamedTuple):
    rtt_us: list[int]
    """Of the line, as far as this machine was in time."""
    spread_us: int
    """From the shortest to the longest of all, the machine's doing or not."""
    reports: int
    drift_ppm: int
    damaged: float
    rest_mv: list[int]
    for_us: int


def _listen_in_time(target: Target, board: SerialBoard) -> _Heard:
    """Listen; again when the board was lost while this machine was late. Raises HalLost."""
    for _ in range(_LISTEN_TRIES - 1):
        lateness = Lateness(target)
        try:
            return _listen(target, board, lateness)
        except HalLost:
            if lateness.worst_us <= MARGIN_US:
                raise
            target.attach()
    return _listen(target, board, Lateness(target))


def _listen(target: Target, board: SerialBoard, lateness: Lateness) -> _Heard:
    clock = board.clock
    start_us = clock.now_us()
    first = board.line
    trips: list[tuple[int, int]] = []
    stamps, rest_mv = {0}, set()
    next_us = start_us + TICK_INTERVAL_US
    while (now_us := clock.now_us()) < start_us + LISTEN_US:
        lateness.look_at(board, now_us + LOOK_US)
        stamps.add(board.encoder.moved().taken_us)
        rest_mv.add(board.battery.rest_mv().value)
        if now_us >= next_us:
            rtt_us = board.line.rtt_last_us
            if not trips or rtt_us != trips[-1][1]:  # else no Tock has come since
                trips.append((lateness.recent_us, rtt_us))
            next_us = now_us + TICK_INTERVAL_US
    last = board.line
    for_us = clock.now_us() - start_us
    drift_ppm = (last.offset_us - first.offset_us) * 1_000_000 // for_us
    reports = len(stamps) - 1
    damaged = (last.damaged - first.damaged) / (reports + for_us // TICK_INTERVAL_US)
    all_us = [first.rtt_last_us, *(rtt_us for _, rtt_us in trips)]
    spread_us = max(all_us) - min(all_us)
    return _Heard(_in_time(trips), spread_us, reports, drift_ppm, damaged, sorted(rest_mv), for_us)


def _in_time(trips: list[tuple[int, int]]) -> list[int]:
    """Return the round trips, of those (late, trip) in which the machine was in time.

    The half in which it was least late when it hardly ever was.
    """
    in_time = [rtt_us for late_us, rtt_us in trips if late_us <= MARGIN_US]
    least_late = [rtt_us for _, rtt_us in sorted(trips)[: len(trips) // 2 + 1]]
    return max(in_time, least_late, key=len)


def _identity(board: SerialBoard) -> dict[str, str]:
    found = board.identity
    assert found is not None
    if found.dictionary != DICTIONARY_ID:
        raise HalMismatch(f"dictionary {found.dictionary:08x}, not {DICTIONARY_ID:08x}")
    names = [flag.name or "" for flag in Capability if flag & found.capabilities]
    guard = "not set"
    if (found.guard_hour, found.guard_day) != (NO_GUARD, NO_GUARD):
        guard = f"{found.guard_hour} strokes an hour, {found.guard_day} a day"
    return {
        "board": f"{found.board_id:016x}",
        "agent": found.agent,
        "dictionary": f"{found.dictionary:08x}",
        "capabilities": ", ".join(names) or "none",
        "look-ahead": f"{found.lookahead_us / 1e6:g} s",
        "rate guard": guard,
        "last session": found.cause.name,
    }


def _flash(judge: Judge, board: SerialBoard) -> None:
    flash = board.flash
    judge.at_least("flash", FLASH_MIN, flash.size_bytes, "bytes", "what the controller's logs need")
    judge.equal("flash sector", SECTOR, flash.sector_bytes, "the controller's layout is in 4 KiB")


def _battery(judge: Judge, board: SerialBoard, rest_mv: list[int]) -> None:
    hint = "ADC: divider, reference, and which pin"
    judge.within("battery at rest", *BATTERY_MV, rest_mv[-1], "mV", hint)
    spread = round(100 * (rest_mv[-1] - rest_mv[0]) / max(1, rest_mv[-1]), 2)
    judge.at_most("battery noise", 100 * BATTERY_SPREAD, spread, "%", hint)
    loaded_mv = board.battery.loaded_mv().value
    judge.within("battery loaded", 1, rest_mv[-1], loaded_mv, "mV", hint)
