"""The encoder: counts edges in an interrupt, and cuts the motor's supply past a limit there.

The handler allocates nothing: small integers, and a pin that is held ready.
"""

import pins
from machine import Pin

_NEVER = 0x3FFF_FFFF
"""The largest integer that is no heap object on the Pico."""


class Encoder:
    """`passed` is set when the limit was passed, and is the caller's to clear."""

    def __init__(self, gate):
        self._gate = gate
        self._edges = 0
        self._limit = _NEVER
        self.passed = False
        self._pin = Pin(pins.ENCODER, Pin.IN)
        self._pin.irq(handler=self._edge, trigger=Pin.IRQ_RISING, hard=True)

    def moved(self):
        """Return whole strokes since power-on."""
        return self._edges // pins.ENCODER_PULSES

    def arm(self, strokes):
        """Cut the supply as soon as more than `strokes` have moved."""
        self._limit = min((strokes + 1) * pins.ENCODER_PULSES, _NEVER)
        if self._edges >= self._limit:
            self._cut()

    def disarm(self):
        """Guard nothing."""
        self._limit = _NEVER
        self.passed = False

    def _edge(self, pin):
        self._edges += 1
        if self._edges >= self._limit:
            self._cut()

    def _cut(self):
        self._gate.value(0)
        self._limit = _NEVER
        self.passed = True
