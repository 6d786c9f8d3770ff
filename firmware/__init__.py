"""The pump's controller: runs against `hal`, speaks `protocol`, and knows nothing else.

What happens when
    controller      Firmware.service(interrupts) -> next deadline: the order of things
    device          what it may know of its own pump
    running, infusion, modes    what starts and ends delivery, what happens while it runs, the mode

What flows
    program, schedule, wall_clock, regimen    the prescription over the week, and what is due now
    flow, pacer, delivery    exact rates, when a stroke is due, batches inside a reserved dose
    bolus, dosing, periodic    boluses, and those of a program
    path, bridging, primed    prime, and the bridge over a change of concentration
    stall           does the rotor still follow

What is allowed
    checks, program_checks, path_checks    the pump's own limits
    drugs, limits, daily    the drugs' limits, by the table
    doses, grants, window, dose_limit, log_time    what was given, lockout, windowed maximum

What is known, and said
    reservoir, level, reservoir_watch, forecast    computed, sensed, low and empty, dates
    supply, stop_watch, updates, alarms    battery, long stops, open updates; the alarm table
    telemetry, status    session and requests, what the pump says of itself
    transactions, acts, bolus_acts, plan, clock_commit    PREPARE and COMMIT, acting once

What survives
    journal, prescription, event_log, layout, flash_queue    flash, one operation at a time

Nothing here imports a clock, chance or a host module: time comes from `hal.Clock`.
"""

from typing import Final

VERSION: Final = "0.1.0"
