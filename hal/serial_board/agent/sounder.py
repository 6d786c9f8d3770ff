"""The piezo: plays a pattern once."""

import pins
from machine import PWM, Pin

_HALF = 32_768
_PATTERNS = {
    1: ((2_400, 250_000), (3_000, 250_000)) * 6,
    2: ((2_700, 1_000_000),),
}
"""By number: 1 critical, 3 s of two tones; 2 non-critical, 1 s of one. (Hz, us) each."""


class Sounder:
    """Silent until `play`."""

    def __init__(self):
        self._pwm = PWM(Pin(pins.SOUNDER))
        self._pwm.duty_u16(0)
        self._tones = ()

    def play(self, pattern, now_us):
        """Play a pattern in place of one that plays; 0 or one that is unknown is silence."""
        self._tones = _PATTERNS.get(pattern, ())
        self._at = 0
        self._next(now_us)

    def poll(self, now_us):
        """Go on to the next tone when it is time to."""
        if self._tones and now_us >= self._until_us:
            self._next(self._until_us)

    def _next(self, now_us):
        if self._at >= len(self._tones):
            self._tones = ()
            self._pwm.duty_u16(0)
            return
        tone_hz, length_us = self._tones[self._at]
        self._at += 1
        self._until_us = now_us + length_us
        self._pwm.freq(tone_hz)
        self._pwm.duty_u16(_HALF)
