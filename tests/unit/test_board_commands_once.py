"""Every command acts once or not at all, whatever the line does with it: judged by the rotor.

One run of a controller gives 20 commands. The run is repeated with each of them duplicated,
delayed, and put behind what was sent after it (P47).
"""

import random
from collections.abc import Callable
from typing import Final

import pytest
from serial_rig import SECOND_US, SerialRig

from hal.errors import HalLost
from hal.interrupts import MOTOR_DONE
from protocol.board_messages import REPORT_INTERVAL_US, SILENCE_US
from protocol.framing import DELIMITER, Deframer, FrameType

INTERVAL_US: Final = 20_000
BATCHES: Final = (3, 1, 5, 2, 4)
COMMANDS: Final = 4 * len(BATCHES)


def _frames(data: bytes) -> list[bytes]:
    """Cut what was written into the images of its frames."""
    return [DELIMITER + part + DELIMITER for part in data.split(DELIMITER) if part]


def _is_command(image: bytes) -> bool:
    return any(frame.type is FrameType.HAL_CMD for frame in Deframer().feed(image, 0))


class _Mischief:
    """Does something to the first sending of the command of this number, counted from 0."""

    def __init__(self, number: int, copies: int, held_frames: int) -> None:
        self._left = number
        self._copies = copies
        self._held_frames = held_frames
        self._held: list[tuple[int, bytes]] = []
        self.done = False

    def __call__(self, data: bytes) -> bytes:
        out = b""
        for image in _frames(data):
            self._held = [(left - 1, held) for left, held in self._held]
            if _is_command(image):
                self._left -= 1
                if self._left == -1:
                    self.done = True
                    self._held += [(self._held_frames, image)] * self._copies
                    image = b"" if self._held_frames else image
            out += image + b"".join(held for left, held in self._held if left <= 0)
            self._held = [(left, held) for left, held in self._held if left > 0]
        return out


KINDS: Final[dict[str, tuple[int, int]]] = {
    "duplicated": (1, 0),
    "duplicated twenty times": (20, 0),
    "behind the next frame": (1, 1),
    "behind five more, twice": (2, 5),
    "behind thirty more, twice": (2, 30),
}
"""Kind: how many copies come, and behind how many frames sent after it."""


def _run(rig: SerialRig) -> None:
    """Four commands for each batch."""
    for strokes in BATCHES:
        rig.board.encoder.arm(1000)
        rig.board.supply.enable()
        rig.board.motor.dispense(strokes, INTERVAL_US)
        rig.wait(MOTOR_DONE)
        rig.board.supply.cut()
        rig.run(30_000)
    rig.run(4 * SECOND_US)


@pytest.mark.parametrize("kind", KINDS)
def test_no_command_that_comes_again_or_late_moves_a_stroke_more(kind: str) -> None:
    for number in range(COMMANDS):
        rig = SerialRig()
        mischief = _Mischief(number, *KINDS[kind])
        rig.line.spoil(to_board=mischief)
        _run(rig)
        assert mischief.done
        assert rig.turned == rig.board.encoder.moved().value == sum(BATCHES)
        assert not rig.emulated.supply.enabled


def _shuffler(rng: random.Random) -> Callable[[bytes], bytes]:
    """A line that repeats every third frame, and holds every fifth behind up to six others."""
    held: list[tuple[int, bytes]] = []

    def spoil(data: bytes) -> bytes:
        nonlocal held
        out = []
        for image in _frames(data):
            held = [(left - 1, old) for left, old in held]
            if rng.random() < 0.2:
                held.append((rng.randrange(1, 7), image))
            else:
                out += [image] * (2 if rng.random() < 0.33 else 1)
            out += [old for left, old in held if left <= 0]
            held = [(left, old) for left, old in held if left > 0]
        return b"".join(out)

    return spoil


@pytest.mark.parametrize("seed", range(10))
def test_a_line_that_repeats_and_reorders_both_ways_adds_nothing(seed: int) -> None:
    rig, rng = SerialRig(seed), random.Random(seed)
    rig.line.spoil(_shuffler(rng), _shuffler(rng))
    for _ in range(10):
        _run(rig)
    assert rig.turned == rig.board.encoder.moved().value == 10 * sum(BATCHES)


def test_frames_of_an_earlier_session_cost_this_one_and_are_stopped_with_it() -> None:
    """The line has no secret: what fits the numbers is acted on. The counts give it away."""
    rig = SerialRig()
    heard: list[bytes] = []

    def listen(data: bytes) -> bytes:
        heard.append(data)
        return data

    rig.line.spoil(to_board=listen)
    rig.board.supply.enable()
    rig.board.motor.dispense(10, 200_000)
    rig.wait(MOTOR_DONE)
    rig.line.spoil()
    rig.board.attach(2)
    for data in heard:
        rig.line.write(data)
    with pytest.raises(HalLost):
        rig.run(SECOND_US)
    rig.world.run_until(rig.world.now_us + 10 * SECOND_US)
    assert not rig.emulated.supply.enabled
    assert rig.turned <= 10 + (REPORT_INTERVAL_US + SILENCE_US) // 200_000 + 1
