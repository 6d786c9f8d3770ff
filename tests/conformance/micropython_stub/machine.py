"""MicroPython's `machine` for the unix port: a board of files, in the current folder.

    rotor      a line for each step that the rotor has made: when, us since 1970
    supply     a line for each change of the motor's supply: when, and its level
    sound      a line for each change of the piezo: Hz, duty
    gp<N>      level of an input pin, "0" or "1"; pulled up without the file
    battery    battery voltage, mV; 3600 without the file
    jammed     while it exists the rotor stands still

A step pulse with supply and driver on turns the rotor, and the rotor pulses the encoder. A UART is
the descriptor that UART0 or UART1 of the environment names.
"""

import os
import select
import time

import pins

_STEPS_PER_EDGE = pins.STEPS // pins.ENCODER_PULSES
_UART_BUFFER = 1024


def _exists(name):
    try:
        os.stat(name)
    except OSError:
        return False
    return True


def _number(name, otherwise):
    try:
        with open(name) as file:
            return int(file.read() or otherwise)
    except OSError:
        return otherwise


class _Rotor:
    """The physics: where the rotor is outlives the process."""

    def __init__(self):
        self._log = open("rotor", "ab")
        self._steps = 0
        self.levels = {}
        self.on_edge = None
        with open("rotor", "rb") as file:
            while file.readline():
                self._steps += 1

    def pulse(self):
        level = self.levels.get
        powered = level(pins.SUPPLY) == 1 and level(pins.DRIVER_OFF) == 0
        if not powered or level(pins.DIRECTION) != pins.FORWARD or _exists("jammed"):
            return
        self._steps += 1
        self._log.write(b"%d\n" % (time.time_ns() // 1000))
        self._log.flush()
        if self._steps % _STEPS_PER_EDGE == 0 and self.on_edge is not None:
            self.on_edge(None)


_rotor = _Rotor()


class Pin:
    IN, OUT, PULL_UP, IRQ_RISING = 0, 1, 2, 4

    def __init__(self, number, mode=IN, pull=None, value=0):
        self.number = number
        self._mode = mode
        if mode == self.OUT:
            self.value(value)

    def value(self, level=None):
        if level is None:
            if self._mode == self.OUT:
                return _rotor.levels[self.number]
            return _number(f"gp{self.number}", 1)
        before = _rotor.levels.get(self.number)
        _rotor.levels[self.number] = level
        if self.number == pins.STEP and level and not before:
            _rotor.pulse()
        if self.number == pins.SUPPLY and level != before:
            with open("supply", "a") as file:
                file.write(f"{time.time_ns() // 1000} {level}\n")
        return None

    def irq(self, handler, trigger, hard):
        if self.number == pins.ENCODER and trigger == self.IRQ_RISING:
            _rotor.on_edge = handler


class ADC:
    def __init__(self, number):
        self._number = number

    def read_u16(self):
        return _number("battery", 3_600) * 65_535 // (pins.DIVIDER * pins.ADC_FULL_MV)


class PWM:
    def __init__(self, pin):
        self._hz = 0

    def freq(self, hz):
        self._hz = hz

    def duty_u16(self, duty):
        with open("sound", "a") as file:
            file.write(f"{self._hz} {duty}\n")


class UART:
    def __init__(self, number, baud, tx, rx, rxbuf, txbuf, timeout, timeout_char):
        self._file = open(int(os.getenv(f"UART{number}")), "r+b")
        self._readable = select.poll()
        self._readable.register(self._file, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(self._file, select.POLLOUT)
        self._received = b""

    def any(self):
        while len(self._received) < _UART_BUFFER and self._readable.poll(0):
            self._received += self._file.read(1)
        return len(self._received)

    def read(self, count):
        data = self._received[:count]
        self._received = self._received[count:]
        return data or None

    def write(self, data):
        if not self._writable.poll(0):
            return None
        return self._file.write(data[:64])


class WDT:
    def __init__(self, timeout):
        self._timeout = timeout
        self._fed = time.ticks_ms()

    def feed(self):
        now = time.ticks_ms()
        if time.ticks_diff(now, self._fed) > self._timeout:
            raise SystemExit("the watchdog bit")
        self._fed = now


def unique_id():
    return b"\x01\x02\x03\x04\x05\x06\x07\x08"
