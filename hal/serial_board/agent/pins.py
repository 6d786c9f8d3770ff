"""The one file to change for another wiring: pins and what is special about a board.

Numbers are GP numbers of a Raspberry Pi Pico (RP2040). docs/board.md draws them.
"""

LINE = "usb"
"""The line to the controller: "usb" (the Pico's own port) or "uart" (UART0)."""
LINE_BAUD = 115_200
LINE_TX = 0
LINE_RX = 1
STEP = 2
DIRECTION = 3
DRIVER_OFF = 4
SUPPLY = 5
ENCODER = 6
SOUNDER = 7
RADIO_TX = 8
RADIO_RX = 9
RADIO_BAUD = 115_200
FIELD = 10
MAGNET = 11
MAINTENANCE = 22
LED = 25
BATTERY = 26

PINS = (
    ("LINE_TX", LINE_TX, "out", "UART0, to the controller's adapter; only with LINE = uart"),
    ("LINE_RX", LINE_RX, "in", "UART0, from the controller's adapter; only with LINE = uart"),
    ("STEP", STEP, "out", "stepper driver STEP, acts on the rising edge"),
    ("DIRECTION", DIRECTION, "out", "stepper driver DIR"),
    ("DRIVER_OFF", DRIVER_OFF, "out", "stepper driver EN: high is no current"),
    ("SUPPLY", SUPPLY, "out", "gate of the motor's supply: high is on; 10 kΩ to GND"),
    ("ENCODER", ENCODER, "in", "encoder, counts rising edges"),
    ("SOUNDER", SOUNDER, "out", "piezo, PWM"),
    ("RADIO_TX", RADIO_TX, "out", "UART1, to the telemetry radio"),
    ("RADIO_RX", RADIO_RX, "in", "UART1, from the telemetry radio"),
    ("FIELD", FIELD, "in", "low: a programmer's head is near; pulled up"),
    ("MAGNET", MAGNET, "in", "Hall switch, low: a strong field; pulled up"),
    ("MAINTENANCE", MAINTENANCE, "in", "low at boot: do not start the agent; pulled up"),
    ("LED", LED, "out", "lit while a controller is attached"),
    ("BATTERY", BATTERY, "in", "ADC0, battery through the divider"),
)
"""Every pin with its direction and purpose: the table of docs/board.md."""

FORWARD = 0
"""Level of DIRECTION that delivers."""
STEPS = 8
"""Steps of one stroke."""
STEP_MIN_US = 500
"""Shortest time between two steps that the motor surely follows from a standstill."""
DRIVE_US = 100_000
"""How long a stroke is driven; with a short interval half the interval."""
SETTLE_US = 4_000
"""From the last step of a batch until the encoder has surely seen it."""
ENCODER_PULSES = 4
"""Encoder edges of one stroke; divides STEPS."""

LOOKAHEAD_US = 2_000_000
"""Longest batch of more than one stroke: what a lost board may still deliver."""
GUARD_HOUR = 4_800
"""Rate guard, strokes in any hour: 1.2 mL of 0.25 uL, a fifth above the highest flow."""
GUARD_DAY = 98_000
"""Rate guard, strokes in any 24 h: the highest flow all day long, and a bucket of the guard."""

ADC_FULL_MV = 3_300
"""Voltage at the pin that reads 65,535."""
DIVIDER = 2
"""Battery voltage over the voltage at the pin: two equal resistors."""
BATTERY_PRESENT_MV = 500
"""Below this there is no battery."""

FLASH_FOLDER = "pumpflash"
"""Where the flash lives in the file system: a file for each sector that is not erased."""
HARDWARE_WATCHDOG_MS = 4_000
"""The chip resets itself when the loop stands still for this long; all pins are let go."""
