"""Byte lines: the Pico's USB port, or a UART. Nothing here waits for the other end."""

import select
import sys
import time

import micropython
from machine import UART, Pin

_BUFFER = 256
_USB_CHUNK = 64


class UsbLine:
    """The port that is the console without an agent: Ctrl-C is a byte like any other here.

    MicroPython has no way to read what there is: one byte at a time as long as there are some.
    """

    def __init__(self):
        micropython.kbd_intr(-1)
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._readable = select.poll()
        self._readable.register(sys.stdin, select.POLLIN)
        self._writable = select.poll()
        self._writable.register(sys.stdout, select.POLLOUT)
        self._buffer = bytearray(_BUFFER)

    def read(self):
        """Return what has come, a bounded part of it; raises OSError when the port is gone."""
        count = 0
        while count < _BUFFER and self._ready(self._readable):
            byte = self._in.read(1)
            if not byte:
                raise OSError("end of file")
            self._buffer[count] = byte[0]
            count += 1
        return bytes(memoryview(self._buffer)[:count])

    def write(self, data):
        """Send bytes; return how many were taken."""
        if not data or not self._ready(self._writable):
            return 0
        return self._out.write(data[:_USB_CHUNK]) or 0

    def wait(self, wait_ms):
        """Return when bytes have come, or after `wait_ms`."""
        self._readable.poll(wait_ms)

    def _ready(self, poll):
        for _ in poll.ipoll(0):
            return True
        return False


class UartLine:
    """A UART with buffers that an interrupt fills and empties."""

    def __init__(self, number, tx, rx, baud):
        self._uart = UART(
            number, baud, tx=Pin(tx), rx=Pin(rx), rxbuf=1024, txbuf=1024, timeout=0, timeout_char=0
        )

    def read(self, most=_BUFFER):
        """Return what has come, at most so many bytes."""
        count = min(self._uart.any(), most)
        return self._uart.read(count) or b"" if count else b""

    def write(self, data):
        """Send bytes; return how many were taken."""
        return self._uart.write(data) or 0 if data else 0

    def wait(self, wait_ms):
        """Return when bytes have come, or after `wait_ms`."""
        while wait_ms and not self._uart.any():
            time.sleep_ms(1)
            wait_ms -= 1
