"""The pump's controller: runs against `hal`, speaks `protocol`, and knows nothing else.

    controller    Firmware.service(interrupts) -> next deadline: the order in which things are done
    modes         the mode table, and the only place that changes the mode
    flow, pacer   exact rates, and when each stroke is due
    delivery      strokes to the motor in batches, inside a dose that flash has reserved
    stall         does the rotor still follow
    bolus         the dose on top of the basal
    path, path_checks, bridging   prime, and the bridge over a change of concentration
    reservoir     computed volume, dates
    level         sensed volume, and the lower of both
    reservoir_watch   low, empty, a sensor that disagrees, a drug out of date
    supply        battery, ERI, end of service
    alarms        the alarm table, what stands, what sounds
    journal, prescription, event_log, flash_queue, layout      what survives a reset
    checks        may this prescription, bolus or refill be done
    transactions  PREPARE / COMMIT / QUERY, each acting at most once
    telemetry     session and requests
    status        what the pump says of itself

Nothing here imports a clock, chance or a host module: time comes from `hal.Clock`.
"""

from typing import Final

VERSION: Final = "0.1.0"
