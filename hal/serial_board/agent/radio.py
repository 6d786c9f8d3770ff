"""Telemetry: bytes between the line's messages and the radio, and who may send how many."""

import messages


class Radio:
    """Both queues are bounded: by the credit, and by the UART's own buffer."""

    def __init__(self, uart):
        self._uart = uart
        self.reset()

    def reset(self):
        """Lose what waits, and count from 0; what the radio has received before goes too."""
        self._waiting = b""
        self._taken = 0
        self._told = 0
        self._received = 0
        self._sent = 0
        self._sent_taken = 0
        while self._uart.read():
            pass

    def receive(self, taken, data):
        """Take a message of the controller; False: it cannot count."""
        self._received += len(data)
        if self._received - self._taken > messages.TELEMETRY_WINDOW:
            return False
        if not self._sent_taken <= taken <= self._sent:
            return False
        self._sent_taken = taken
        self._waiting += data
        return True

    def poll(self):
        """Hand waiting bytes to the radio."""
        if self._waiting:
            taken = self._uart.write(self._waiting)
            self._waiting = self._waiting[taken:]
            self._taken += taken

    def message(self):
        """Return the (taken, data) to tell the controller; None: there is nothing to tell."""
        credit = messages.TELEMETRY_WINDOW - (self._sent - self._sent_taken)
        data = self._uart.read(min(messages.TELEMETRY_DATA_MAX, credit)) if credit else b""
        if not data and self._taken - self._told < messages.TELEMETRY_WINDOW // 2:
            return None
        self._sent += len(data)
        self._told = self._taken
        return self._taken, data
