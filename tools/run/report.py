"""How a running pump and the truth around it stand, as one flat table for people and programs.

`pump.*` is what the pump would say in a status reply, `truth.*` what is physically so; reading
either takes no time and changes nothing. `run.*` is the run itself.
"""

from fractions import Fraction
from typing import Any

from emulator.board import EmulatedBoard
from emulator.pacing import speed_name
from emulator.server import Server
from firmware.controller import Firmware
from tools.emulated import EmulatedPump
from tools.programmer import format as show
from tools.pump_measures import said

Report = dict[str, Any]


def report(pump: EmulatedPump, server: Server) -> Report:
    """Return everything now; `pump.*` is absent while the pump has no power."""
    table = {
        "run.now_us": pump.world.now_us,
        "run.speed": "pause" if server.pacer.paused else speed_name(server.pacer.speed),
        "run.session": server.watch.session_open,
        **truth(pump.board),
    }
    if pump.board.powered:
        table |= said_by(pump.firmware)
    return table


def truth(board: EmulatedBoard) -> Report:
    """Return what is physically so."""
    plant = board.plant
    return {
        "truth.delivered_ul": _ul(Fraction(plant.delivered_pl, 1000)),
        "truth.reservoir_ul": _ul(Fraction(plant.reservoir_pl, 1000)),
        "truth.flow_ul_h": _ul(Fraction(plant.flow_pl_h, 1000)),
        "truth.rotor_deg": plant.rotor_deg,
        "truth.powered": board.powered,
        "truth.supply_cut": not board.supply.enabled,
        "truth.faults": board.faults.active(),
        **{
            f"truth.tip_ug.{drug}": show.number(Fraction(plant.tip_pg(drug), show.PG_PER_UG))
            for drug in plant.drugs
        },
        "ledger.violations": len(plant.ledger_violations()),
    }


def said_by(firmware: Firmware) -> Report:
    """Return what the pump would say."""
    status = firmware.status()
    therapy = firmware.prescription().therapy
    return {
        "pump.wall": show.date(status.wall_s),
        "pump.uptime_us": status.uptime_us,
        "pump.boot_id": status.boot_id,
        "pump.delivered_ul": _ul(status.delivered_nl),
        **said(status, firmware.device(), therapy if therapy.drugs else None),
    }


def _ul(volume_nl: Fraction | int) -> int | float:
    return show.number(Fraction(volume_nl) / show.NL_PER_UL)


def line(table: Report) -> str:
    """Return the live status line."""
    speed = table["run.speed"]
    head = f"{speed}x" if speed.isdigit() else speed
    physical = f"physical {_ml(table['truth.reservoir_ul'])}"
    delivered = f"delivered {_ml(table['truth.delivered_ul'])} mL"
    if "pump.mode" not in table:
        return f"{show.duration(table['run.now_us'])}  {head}  no power  {physical} mL  {delivered}"
    alarms = ",".join(table["pump.alarms"]) or "none"
    parts = (
        str(table["pump.wall"]).replace("T", " "),
        head + (" session" if table["run.session"] else ""),
        table["pump.mode"],
        f"{table['pump.rate_ul_h']:.3f} uL/h",
        f"{known(table)} {physical} mL",
        delivered,
        f"{table['pump.battery_mv']} mV",
        f"alarms {alarms}",
    )
    return "  ".join(parts)


def known(table: Report) -> str:
    """Return the volumes that the pump knows, mL: by its count and, with a sensor, by that."""
    sensed_ul = table.get("pump.sensed_ul")
    sensed = "" if sensed_ul is None else f" sensed {_ml(sensed_ul)}"
    return f"computed {_ml(table['pump.computed_ul'])}{sensed}"


def summary(table: Report, elapsed_us: int) -> str:
    """Return the last line of a run; `elapsed_us` is the pump time that passed in it."""
    said = f"{known(table)} mL" if "pump.mode" in table else "computed unknown"
    return (
        f"ended after {show.duration(elapsed_us)} of pump time: "
        f"delivered {_ml(table['truth.delivered_ul'])} mL, "
        f"reservoir physical {_ml(table['truth.reservoir_ul'])} mL, {said}"
    )


def _ml(volume_ul: int | float) -> str:
    return f"{volume_ul / 1000:.6f}"
