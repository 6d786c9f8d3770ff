"""When strokes are owed: the definition of a flow, summed exactly, with nothing of the controller.

Each flow is so many strokes per microsecond from one instant to another. Stroke k is due at the
first instant at which all flows together owe k; a part of a stroke is carried on.
"""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(slots=True)
class _Flow:
    from_us: int
    to_us: int | None
    interval_us: Fraction


class Schedule:
    """What is owed since an instant at which nothing was."""

    def __init__(self) -> None:
        self._flows: list[_Flow] = []

    @property
    def began_us(self) -> int:
        """Return when the first flow began."""
        return min(flow.from_us for flow in self._flows)

    def basal(self, from_us: int, interval_us: int) -> None:
        """Owe a stroke each interval from here on, in place of all before."""
        self.stop(from_us)
        self._flows.append(_Flow(from_us, None, Fraction(interval_us)))

    def bolus(self, from_us: int, strokes: int, duration_us: int, pause: bool = False) -> None:
        """Owe so many more within a duration, on top of the basal or in its place."""
        end_us = from_us + duration_us
        self._flows.append(_Flow(from_us, end_us, Fraction(duration_us, strokes)))
        if pause:
            for flow in [flow for flow in self._flows if flow.to_us is None]:
                flow.to_us = from_us
                self._flows.append(_Flow(end_us, None, flow.interval_us))

    def stop(self, at_us: int) -> None:
        """Owe nothing more after this."""
        self._flows = [flow for flow in self._flows if flow.from_us < at_us]
        for flow in self._flows:
            flow.to_us = at_us if flow.to_us is None else min(flow.to_us, at_us)

    def owed(self, at_us: int) -> Fraction:
        """Return the strokes owed until an instant."""
        total = Fraction(0)
        for flow in self._flows:
            end_us = at_us if flow.to_us is None else min(at_us, flow.to_us)
            total += max(0, end_us - flow.from_us) / flow.interval_us
        return total

    def due_us(self, stroke: int) -> int:
        """Return when a stroke (1 = the first) is due. Raises ValueError when it never is."""
        edges = sorted({flow.from_us for flow in self._flows} | self._ends())
        for at_us, next_us in zip(edges, [*edges[1:], None], strict=True):
            missing = stroke - self.owed(at_us)
            if missing <= 0:
                return at_us
            rate = sum(
                (1 / flow.interval_us for flow in self._flows if _flows_at(flow, at_us)),
                start=Fraction(0),
            )
            if rate:
                due_us = at_us + -(-missing // rate)
                if next_us is None or due_us <= next_us:
                    return due_us
        raise ValueError(f"stroke {stroke} is never due")

    def _ends(self) -> set[int]:
        return {flow.to_us for flow in self._flows if flow.to_us is not None}


def _flows_at(flow: _Flow, at_us: int) -> bool:
    return flow.from_us <= at_us and (flow.to_us is None or at_us < flow.to_us)
