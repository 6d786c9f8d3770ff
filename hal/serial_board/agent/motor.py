"""The metering motor: whole strokes of a stepper, paced by the clock, and the gate of its supply.

Stroke k of a batch ends with its last step at start + k * interval; its steps are due in the
`DRIVE_US` before that. The batch ends `SETTLE_US` later: rotor and encoder have come to rest, and
the coils lose their current.

The loop calls `poll`, which makes one step when one is due: the loop that minds the dead-man is
the one that moves the motor, and a loop that hangs moves nothing. Late steps are caught up, never
closer than `STEP_MIN_US`. As long as the loop is away (a flash sector takes 50 ms, interrupts off)
there is no step that the encoder could miss.
"""

import time

import pins
from machine import Pin

_INTERVAL_MIN_US = 1_000
_PULSE_US = 3
"""Stepper drivers want 1 to 2 us."""


class Supply:
    """The gate of the motor's supply. After a reset of the chip a resistor keeps it open."""

    def __init__(self):
        self.gate = Pin(pins.SUPPLY, Pin.OUT, value=0)

    def on(self):
        """Give the motor power."""
        self.gate.value(1)

    def cut(self):
        """Take the motor's power away at once."""
        self.gate.value(0)

    def enabled(self):
        """Return 1 when the motor has power."""
        return self.gate.value()


class Motor:
    """Runs one batch at a time. `ended` is set with its end, and is the caller's to clear."""

    def __init__(self, clock):
        self._clock = clock
        self._step = Pin(pins.STEP, Pin.OUT, value=0)
        self._direction = Pin(pins.DIRECTION, Pin.OUT, value=pins.FORWARD)
        self._off = Pin(pins.DRIVER_OFF, Pin.OUT, value=1)
        self.halt()

    def halt(self):
        """Forget the batch where it stands; count from 0."""
        self._off.value(1)
        self.running = False
        self.driving = False
        self.ended = False
        self.commanded = 0
        self.due_us = None

    def takes(self, strokes, interval_us):
        """Return whether such a batch can begin now."""
        fits = strokes == 1 or strokes * interval_us <= pins.LOOKAHEAD_US
        return not self.running and strokes >= 1 and interval_us >= _INTERVAL_MIN_US and fits

    def dispense(self, strokes, interval_us, now_us):
        """Begin a batch that `takes` allows."""
        self.running = True
        self._left = strokes
        self._interval_us = interval_us
        self._drive_us = min(pins.DRIVE_US, interval_us // 2)
        self._end_us = now_us + interval_us
        self._steps = 0
        self.due_us = self._at_us()

    def stop(self):
        """Begin no further stroke; the one under way is finished."""
        if self.driving:
            self._left = 1
        elif self.running and self._left:
            self._finish()

    def poll(self, now_us):
        """Make the step that is due, or end the batch. `due_us` says when there is more to do."""
        if not self.running or now_us < self.due_us:
            return
        if self._left == 0:
            self._finish()
            return
        if not self.driving:
            self.driving = True
            self._off.value(0)
        self._step.value(1)
        time.sleep_us(_PULSE_US)
        self._step.value(0)
        self._steps += 1
        now_us = self._clock.now_us()  # it was before the pulse that `poll` was called with
        if self._steps == pins.STEPS:
            self._stroke_ended(now_us)
        else:
            self.due_us = max(self._at_us(), now_us + pins.STEP_MIN_US)

    def _at_us(self):
        """Return when the next step is due."""
        left_us = self._drive_us * (pins.STEPS - 1 - self._steps) // pins.STEPS
        return self._end_us - left_us

    def _stroke_ended(self, now_us):
        self.driving = False
        self.commanded += 1
        self._left -= 1
        self._steps = 0
        self._end_us += self._interval_us
        if self._left:
            self.due_us = max(self._at_us(), now_us + pins.STEP_MIN_US)
        else:
            self.due_us = now_us + pins.SETTLE_US

    def _finish(self):
        self.running = False
        self.ended = True
        self.due_us = None
        self._off.value(1)
