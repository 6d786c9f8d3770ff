"""One picture of a run: delivery, reservoir, battery, and what the pump was doing.

The run is sampled between events, some hundred times evenly; looking changes nothing, so a run
that is drawn has the same trace as one that is not. What is drawn is the physical truth beside
what the pump believes. matplotlib comes with the extra "plot" and is loaded only here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from protocol.codes import Mode
from tools.programmer import sensed
from tools.scenario.model import Scenario
from tools.scenario.result import Result
from tools.scenario.view import View
from tools.toml_file import FileError

SAMPLES: Final = 800
"""About one for each column of pixels."""
REMEDY: Final = "--plot needs matplotlib: pip install -e '.[plot]' in the source folder"
_UNITS: Final = ((2 * 86_400_000_000, 86_400_000_000, "days"), (0, 3_600_000_000, "hours"))
"""From this length on, the unit of the time axis in µs, and its name."""
_COLOURS: Final = {
    Mode.STOPPED: "#b0b0b0",
    Mode.BASAL: "#cfe8cf",
    Mode.MINIMUM_RATE: "#f7e3a1",
    Mode.BOLUS: "#9ecae1",
    Mode.PRIME: "#3182bd",
    Mode.BRIDGE: "#fdae6b",
    Mode.STALLED: "#f4a582",
    Mode.SAFE_STATE: "#d6604d",
    Mode.END_OF_SERVICE: "#8073ac",
}
"""Mode -> colour of its band; without power the band is empty."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What was so at one instant."""

    at_us: int
    delivered_pl: int
    flow_pl_h: int
    reservoir_pl: int
    computed_nl: int | None
    """None, as all below, while the pump has no power."""
    sensed_nl: int | None
    """None without a level sensor as well."""
    battery_mv: int | None
    mode: Mode | None
    alarms: tuple[str, ...]


class Plot:
    """Collects the samples of one run, then draws them."""

    def __init__(self, scenario: Scenario, path: str) -> None:
        """Raises FileError, at once and not after a long run, when `path` cannot be drawn."""
        try:
            from matplotlib.figure import Figure
        except ImportError:
            raise FileError(REMEDY) from None
        self._figure = Figure(figsize=(11, 10), layout="constrained")
        known = self._figure.canvas.get_supported_filetypes()
        if Path(path).suffix.lower().removeprefix(".") not in known:
            raise FileError(f"--plot {path}: the name ends in one of {', '.join(sorted(known))}")
        self._path = path
        self._scenario = scenario
        self._samples: list[Sample] = []
        self.every_us = max(1, scenario.duration_us // SAMPLES)
        """From one sample to the next."""
        self._unit_us, self._unit = next(
            (unit_us, name) for least, unit_us, name in _UNITS if scenario.duration_us >= least
        )

    def sample(self, view: View, at_us: int) -> None:
        """Note how all stands."""
        plant = view.board.plant
        status = view.status if view.board.powered else None
        self._samples.append(
            Sample(
                at_us=at_us,
                delivered_pl=plant.delivered_pl,
                flow_pl_h=plant.flow_pl_h,
                reservoir_pl=plant.reservoir_pl,
                computed_nl=status.computed_nl if status else None,
                sensed_nl=sensed.volume_nl(status) if status else None,
                battery_mv=status.battery_mv if status else None,
                mode=status.mode if status else None,
                alarms=tuple(alarm.code.name for alarm in status.alarms) if status else (),
            )
        )

    def save(self, result: Result) -> None:
        """Draw into the file, in the format its ending says. Raises OSError."""
        axes = self._figure.subplots(4, 1, sharex=True, height_ratios=(3, 3, 2, 2))
        name = self._scenario.name
        self._figure.suptitle(f"{name}: {result.profile}, seed {result.seed}", fontsize=11)
        self._draw_delivery(axes[0])
        self._draw_reservoir(axes[1])
        self._draw_battery(axes[2])
        self._draw_states(axes[3])
        axes[3].set_xlabel(f"{self._unit} since t = 0")
        axes[3].set_xlim(0, self._scenario.duration_us / self._unit_us)
        self._figure.savefig(self._path, dpi=110)

    def _times(self) -> list[float]:
        return [sample.at_us / self._unit_us for sample in self._samples]

    def _draw_delivery(self, axis: Any) -> None:
        times = self._times()
        delivered_ml = [sample.delivered_pl / 1e9 for sample in self._samples]
        axis.plot(times, delivered_ml, color="tab:blue", label="delivered, total")
        axis.set_ylabel("delivered, mL", color="tab:blue")
        axis.set_ylim(bottom=0)
        rates = axis.twinx()
        flow_ul_h = [sample.flow_pl_h / 1e6 for sample in self._samples]
        rates.plot(times, flow_ul_h, color="tab:orange", linewidth=1)
        rates.set_ylabel("flow of the trailing hour, uL/h", color="tab:orange")
        rates.set_ylim(0, max([*flow_ul_h, 1]) * 1.1)
        axis.set_title("Delivery (physical)", loc="left", fontsize=9)

    def _draw_reservoir(self, axis: Any) -> None:
        times = self._times()
        physical_ml = [sample.reservoir_pl / 1e9 for sample in self._samples]
        computed_ml = [_scaled(sample.computed_nl, 1e6) for sample in self._samples]
        axis.plot(times, physical_ml, color="tab:blue", linewidth=3, alpha=0.5, label="physical")
        axis.plot(times, computed_ml, color="black", linewidth=1, label="computed by the pump")
        sensed_ml = [_scaled(sample.sensed_nl, 1e6) for sample in self._samples]
        if any(sample.sensed_nl is not None for sample in self._samples):
            axis.plot(times, sensed_ml, color="tab:cyan", linewidth=1, label="sensed by the pump")
        if self._scenario.programs:
            low_ml = self._scenario.programs[0].therapy.low_reservoir_nl / 1e6
            axis.axhline(low_ml, color="tab:red", linestyle="--", linewidth=1, label="low alarm")
        axis.set_ylabel("reservoir, mL")
        axis.set_ylim(bottom=0)
        axis.legend(loc="best", fontsize=8)
        axis.set_title("Reservoir", loc="left", fontsize=9)

    def _draw_battery(self, axis: Any) -> None:
        volts = [_scaled(sample.battery_mv, 1e3) for sample in self._samples]
        axis.plot(self._times(), volts, color="tab:green")
        device = self._scenario.profile.device
        axis.axhline(device.eri_mv / 1e3, color="tab:red", linestyle="--", linewidth=1)
        axis.set_ylabel("battery, V")
        axis.set_ylim(min(2.0, device.eos_mv / 1e3), None)
        axis.set_title("Battery at rest (dashed: ERI)", loc="left", fontsize=9)

    def _draw_states(self, axis: Any) -> None:
        """Draw a band for the mode and one for each alarm that ever stood."""
        modes = [sample.mode for sample in self._samples]
        alarms = list(dict.fromkeys(code for sample in self._samples for code in sample.alarms))
        rows = ["mode", *alarms]
        for mode, colour in _COLOURS.items():
            spans = self._spans([found is mode for found in modes])
            if spans:
                axis.broken_barh(spans, (-0.4, 0.8), color=colour, label=mode.name.lower())
        for row, code in enumerate(alarms, start=1):
            stands = [code in sample.alarms for sample in self._samples]
            axis.broken_barh(self._spans(stands), (row - 0.4, 0.8), color="tab:red")
        axis.set_yticks(range(len(rows)), rows, fontsize=8)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
        axis.set_title("Mode and alarms", loc="left", fontsize=9)

    def _spans(self, held: list[bool]) -> list[tuple[float, float]]:
        """Return (start, width) of each run of samples at which something held."""
        spans: list[tuple[float, float]] = []
        times = self._times()
        for time, until, holds, before in zip(times, times[1:], held, [False, *held], strict=False):
            if holds and before:
                spans[-1] = (spans[-1][0], until - spans[-1][0])
            elif holds:
                spans.append((time, until - time))
        return spans


def _scaled(value: int | None, unit: float) -> float:
    """Return a value in a larger unit; nothing is drawn where there is none."""
    return float("nan") if value is None else value / unit
