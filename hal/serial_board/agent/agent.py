"""The agent: serves the controller at the end of the line, and minds the board without one.

It decides nothing about therapy: it does what the line says and reports what has happened. What
it does by itself is to stop. A session ends when nothing valid is heard for `SILENCE_US` (the
dead-man), when the controller misses the deadline that it has set, when a batch is more than the
rate guard allows, or when what comes is no message. Then the stroke under way is finished, the
motor's supply is cut, and the board is silent until a controller attaches.

`turn` does all that is due and returns; the loop in main.py calls it for ever.
"""

import messages as m
from frames import HAL_CMD, HAL_TIME, HELLO, HELLO_RSP, Link
from pins import LINE_BAUD, LOOKAHEAD_US

NAME = b"itpump micropython 1"
WATCHDOG_GRACE_US = 1_000_000
"""The session ends this long after a deadline that was missed."""
WAIT_MAX_MS = 5
"""Longest sleep: the radio is looked at this often."""
_TICK = bytes((m.TICK,))
_TOCK = bytes((m.TOCK,))


class Agent:
    """One board on one line. `parts` has the peripherals as attributes: see main.py."""

    def __init__(self, line, parts, board_id):
        self._line = line
        self._parts = parts
        self._board_id = board_id
        self._link = Link(LINE_BAUD)
        self._out = b""
        self._session = None
        self._cause = m.POWER_ON
        self._wall_s = 0
        self._wall_us = 0
        self._execute = {
            m.DISPENSE: self._dispense,
            m.STOP_MOTOR: self._stop_motor,
            m.ARM_ENCODER: self._arm_encoder,
            m.SWITCH_SUPPLY: self._switch_supply,
            m.FLASH_READ: self._flash_read,
            m.FLASH_PROGRAM: self._flash_program,
            m.FLASH_ERASE: self._flash_erase,
            m.TELEMETRY: self._telemetry,
            m.ARM_LOW_VOLTAGE: self._arm_low_voltage,
            m.SOUND: self._sound,
            m.ARM_WATCHDOG: self._arm_watchdog,
            m.SET_WALL_CLOCK: self._set_wall_clock,
            m.LOWER_GUARD: self._lower_guard,
        }
        self._forget()

    def turn(self):
        """Do all that is due, then sleep until there may be more."""
        parts = self._parts
        self._listen()
        now_us = parts.clock.now_us()
        if self._session is not None:
            self._mind(now_us)
        motor = parts.motor
        motor.poll(now_us)
        if self._session is None and not motor.running:
            parts.supply.cut()
        parts.battery.poll(now_us, motor.driving)
        parts.sounder.poll(now_us)
        if self._session is not None:
            parts.radio.poll()
            self._speak(now_us)
        self._write(now_us)
        self._sleep(now_us)

    # Hearing

    def _listen(self):
        data = self._line.read()
        if data:
            self._link.feed(data)
        while True:
            frame = self._link.take()
            if frame is None:
                break
            kind, payload = frame
            if kind == HELLO:
                self._attach(payload)
            elif kind == HAL_TIME:
                self._tick(payload)
            elif kind == HAL_CMD:
                self._command(payload)

    def _attach(self, payload):
        """Answer; and take a controller that is new, if it speaks the same."""
        fields = m.unpack(m.ATTACH, payload)
        if fields is None:
            return
        session, dictionary = fields
        if dictionary == m.DICTIONARY_ID and session != self._session:
            self._begin(session)
        guard, flash = self._parts.guard, self._parts.flash
        answer = m.pack(
            m.ATTACHED,
            session,
            m.DICTIONARY_ID,
            self._board_id,
            NAME,
            m.RADIO | m.MAGNET | m.SOUNDER | m.ENCODER_CUT | m.COMPARATOR,
            self._cause,
            LOOKAHEAD_US,
            guard.hour.limit,
            guard.day.limit,
            flash.SIZE,
            flash.SECTOR,
            flash.PAGE,
        )
        self._link.say(HELLO_RSP, answer)

    def _begin(self, session):
        """Reset the board for a controller; encoder count, wall clock and rate guard stay.

        A cause that no controller has taken up yet stays as well.
        """
        if self._session is not None and self._heard:
            self._cause = m.COMMANDED
        parts = self._parts
        parts.supply.cut()
        parts.motor.halt()
        parts.encoder.disarm()
        parts.battery.disarm()
        parts.sounder.play(0, 0)
        parts.radio.reset()
        self._forget()
        self._session = session
        self._alive_us = parts.clock.now_us()
        self._link.restart()
        parts.led.value(1)

    def _forget(self):
        self._pending = 0
        self._executed = 0
        self._batch = 0
        self._flash_crc = 0
        self._flash_data = None
        self._report_us = 0
        self._heard = False
        self._alive_us = 0
        self._tick_us = -1
        self._bite_us = None

    def _end(self, cause):
        """End the session: no further stroke, and silence."""
        if self._session is None:
            return
        self._session = None
        if self._heard:
            self._cause = cause
        self._link.shut()
        self._out = b""
        self._parts.motor.stop()
        self._parts.led.value(0)

    def _hear(self):
        """The controller lives."""
        self._heard = True
        self._alive_us = self._parts.clock.now_us()

    def _tick(self, payload):
        """Answer a Tick; an old one again is no sign of life."""
        fields = m.unpack(m.TICK, payload[1:]) if payload[:1] == _TICK else None
        if fields is not None and fields[0] > self._tick_us:
            self._tick_us = fields[0]
            self._hear()
            self._link.say(HAL_TIME, _TOCK + m.pack(m.TOCK, self._tick_us, self._alive_us))

    def _command(self, payload):
        self._hear()
        execute = self._execute.get(payload[0]) if payload else None
        fields = m.unpack(payload[0], payload[1:]) if execute else None
        if fields is None:
            self._end(m.LINE)
            return
        self._executed += 1
        execute(*fields)

    def _mind(self, now_us):
        """End a session that has fallen silent or hangs; collect what the parts have to tell."""
        parts = self._parts
        if now_us - self._alive_us >= m.SILENCE_US:
            self._end(m.SILENCE)
        elif self._bite_us is not None and now_us >= self._bite_us:
            self._end(m.WATCHDOG)
        if parts.motor.ended:
            parts.motor.ended = False
            self._pending |= m.MOTOR_DONE
        if parts.encoder.passed:
            parts.encoder.passed = False
            self._pending |= m.ENCODER_LIMIT
        if parts.battery.low:
            parts.battery.low = False
            self._pending |= m.LOW_VOLTAGE

    # Commands

    def _dispense(self, batch, strokes, interval_us):
        if batch <= self._batch:
            return
        self._batch = batch
        parts = self._parts
        now_us = parts.clock.now_us()
        if not parts.motor.takes(strokes, interval_us):
            self._pending |= m.MOTOR_DONE
        elif parts.guard.accept(strokes, now_us):
            parts.motor.dispense(strokes, interval_us, now_us)
        else:
            self._end(m.RATE_GUARD)

    def _stop_motor(self):
        self._parts.motor.stop()

    def _arm_encoder(self, limit):
        self._parts.encoder.arm(limit)

    def _switch_supply(self, on):
        if on:
            self._parts.supply.on()
        else:
            self._parts.supply.cut()

    def _flash_read(self, address):
        if address < self._parts.flash.SIZE:
            self._flash_data = address

    def _flash_program(self, address, data):
        self._flash_ended(self._parts.flash.program(address, data), address, len(data))

    def _flash_erase(self, address):
        flash = self._parts.flash
        self._flash_ended(flash.erase(address), address, flash.SECTOR)

    def _flash_ended(self, done, address, length):
        self._pending |= m.FLASH_DONE if done else m.FLASH_FAILED
        if done:
            self._flash_crc = self._parts.flash.crc(address, length)

    def _telemetry(self, taken, data):
        if not self._parts.radio.receive(taken, data):
            self._end(m.LINE)

    def _arm_low_voltage(self, threshold_mv):
        self._parts.battery.arm(threshold_mv)

    def _sound(self, pattern):
        self._parts.sounder.play(pattern, self._parts.clock.now_us())

    def _arm_watchdog(self, within_us):
        self._bite_us = self._parts.clock.now_us() + within_us + WATCHDOG_GRACE_US

    def _set_wall_clock(self, wall_s):
        self._wall_s = wall_s
        self._wall_us = self._parts.clock.now_us()

    def _lower_guard(self, hour, day):
        self._parts.guard.lower(hour, day)

    # Speaking

    def _speak(self, now_us):
        link = self._link
        if self._flash_data is not None and link.room():
            address, self._flash_data = self._flash_data, None
            data, erased = self._parts.flash.content(address, m.FLASH_DATA_MAX)
            self._send(m.FLASH_DATA, address, data, erased)
        if (self._pending or now_us >= self._report_us) and link.room():
            self._report()
            self._report_us = now_us + m.REPORT_INTERVAL_US
        while link.room():
            message = self._parts.radio.message()
            if message is None:
                break
            self._send(m.TELEMETRY, *message)

    def _report(self):
        parts = self._parts
        now_us = parts.clock.now_us()
        wall_s = self._wall_s and self._wall_s + (now_us - self._wall_us) // 1_000_000
        pending, self._pending = self._pending, 0
        self._send(
            m.REPORT,
            pending,
            self._executed,
            now_us,
            parts.motor.commanded,
            parts.encoder.moved(),
            parts.supply.enabled(),
            1 - parts.field.value(),
            1 - parts.magnet.value(),
            1 if parts.battery.present() else 0,
            parts.battery.rest_mv,
            parts.battery.loaded_mv,
            wall_s & 0xFFFF_FFFF,
            self._flash_crc,
            m.NO_LEVEL,
        )

    def _send(self, number, *fields):
        self._link.send(bytes((number,)) + m.pack(number, *fields))

    def _write(self, now_us):
        if not self._out:
            out = self._link.outgoing(now_us)
            if out is None:
                self._end(m.LINE)
                return
            self._out = out
        if self._out:
            self._out = self._out[self._line.write(self._out) :]

    def _sleep(self, now_us):
        if self._out:
            return
        due_us = now_us + WAIT_MAX_MS * 1000
        if self._parts.motor.due_us is not None:
            due_us = min(due_us, self._parts.motor.due_us)
        wait_ms = (due_us - self._parts.clock.now_us()) // 1000
        if wait_ms > 0:
            self._line.wait(wait_ms)
