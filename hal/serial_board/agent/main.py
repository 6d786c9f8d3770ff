"""What the Pico runs at power-on: build the board from pins.py, then serve the line for ever.

With MAINTENANCE held low at boot nothing is started, and the console is free for mpremote.
"""

import machine
import pins
from agent import Agent
from battery import Battery
from clock import Clock
from encoder import Encoder
from flash_store import FlashStore
from guard import Guard
from line import UartLine, UsbLine
from machine import Pin
from motor import Motor, Supply
from radio import Radio
from sounder import Sounder


class Parts:
    """The peripherals of the board."""

    def __init__(self):
        self.supply = Supply()  # first: from here on the gate is driven
        self.clock = Clock()
        self.motor = Motor(self.clock)
        self.encoder = Encoder(self.supply.gate)
        self.battery = Battery()
        self.sounder = Sounder()
        self.flash = FlashStore(pins.FLASH_FOLDER)
        self.guard = Guard(pins.GUARD_HOUR, pins.GUARD_DAY)
        self.radio = Radio(UartLine(1, pins.RADIO_TX, pins.RADIO_RX, pins.RADIO_BAUD))
        self.field = Pin(pins.FIELD, Pin.IN, Pin.PULL_UP)
        self.magnet = Pin(pins.MAGNET, Pin.IN, Pin.PULL_UP)
        self.led = Pin(pins.LED, Pin.OUT, value=0)


def run():
    """Serve the line. Returns never; whatever goes wrong cuts the motor's supply first."""
    parts = Parts()
    try:
        board_id = int.from_bytes(machine.unique_id(), "little") & 0xFFFF_FFFF_FFFF_FFFF
        agent = Agent(_line(), parts, board_id)
        watchdog = machine.WDT(timeout=pins.HARDWARE_WATCHDOG_MS)
        while True:
            agent.turn()
            watchdog.feed()
    finally:
        parts.supply.cut()


def _line():
    if pins.LINE == "usb":
        return UsbLine()
    return UartLine(0, pins.LINE_TX, pins.LINE_RX, pins.LINE_BAUD)


if Pin(pins.MAINTENANCE, Pin.IN, Pin.PULL_UP).value():
    run()
