"""Strokes to the motor: batches inside a dose that flash has reserved.

Before a quantum of strokes the journal records that it is reserved and what was confirmed until
then; only when that record is durable are its strokes commanded. So after any reset the volume
delivered lies between the two. A batch never exceeds the board's look-ahead, what is left of the
quantum, the next edge of the schedule, or the next reservoir threshold.

A change of flow first lets the motor finish the stroke under way; the strokes then known to be
commanded settle what the old flow owed.
"""

from typing import Final

from firmware.device import DeviceConfig
from firmware.flow import HOUR_US, Flow
from firmware.journal import Journal
from firmware.pacer import Batch, Pacer
from hal.interfaces import Encoder, Motor

Ended = tuple[int, int, int]
"""A batch that has ended: strokes commanded, strokes moved, interval in us."""

_ENCODER_SPAN: Final = 1 << 32


class Delivery:
    """Drives the motor at one exact flow at a time."""

    def __init__(
        self, motor: Motor, encoder: Encoder, journal: Journal, config: DeviceConfig
    ) -> None:
        self._motor = motor
        self._encoder = encoder
        self._journal = journal
        self._quantum = config.quantum_strokes
        self._lookahead_us = motor.lookahead_us
        self._fastest_us = config.stroke_pl * HOUR_US // config.flow_max_pl_h
        self.pacer = Pacer(config.stroke_pl)
        self._changes: list[tuple[Flow, int]] = []
        self._batch: Batch | None = None
        self._commanded = 0
        self._early = 0
        """Strokes of the running batch that are accounted for already."""
        self._reserving = False
        self.failed = False
        """True when a reservation could not be made durable: nothing is commanded any more."""

    def recover(self, warm: bool) -> int:
        """Settle the open quantum after a reset; return the strokes that stay uncertain.

        After a warm reset the encoder kept its count and says exactly what moved. After a loss of
        power the whole reservation counts as delivered: never more is given for want of knowledge.
        """
        durable = self._journal.durable
        count = self._encoder.moved().value
        moved = (count - durable.encoder) % _ENCODER_SPAN
        certain = warm and moved <= durable.open_strokes
        uncertain = 0 if certain else durable.open_strokes
        durable.accounted += moved if certain else uncertain
        durable.encoder = count
        durable.open_strokes = 0
        self._commanded = self._motor.strokes_commanded()
        return uncertain

    @property
    def idle(self) -> bool:
        """True when no batch runs."""
        return self._batch is None

    @property
    def flow(self) -> Flow:
        """What is being delivered, or will be once the stroke under way has ended."""
        return self._changes[-1][0] if self._changes else self.pacer.flow

    def accounted(self) -> int:
        """Return the strokes accounted for as of now, those of a running batch included."""
        durable = self._journal.durable
        return durable.accounted + self._encoder.moved().value - durable.encoder

    def account(self) -> None:
        """Account for what the running batch has moved, so that a record written now is exact."""
        if self._batch is None:
            return
        durable = self._journal.durable
        count = self._encoder.moved().value
        moved = count - durable.encoder
        durable.open_strokes -= moved
        durable.accounted += moved
        durable.encoder = count
        self._early += moved

    def until_pl(self, strokes: int, now_us: int) -> tuple[int, int]:
        """Return what has yet to be owed until so many strokes after `durable.accounted` are due.

        An exact ratio, numerator and denominator in pL.
        """
        running = self._batch.strokes - self._early if self._batch else 0
        return self.pacer.until_pl(strokes - running, now_us)

    def change(self, flow: Flow, now_us: int) -> None:
        """Deliver at another flow from now on."""
        self._changes.append((flow, now_us))
        if self.idle:
            self._settle()
        else:
            self._motor.stop()

    def motor_done(self) -> Ended | None:
        """Take MOTOR_DONE: account for the batch by what the encoder saw."""
        batch, self._batch = self._batch, None
        if batch is None:
            return None
        commanded = self._motor.strokes_commanded()
        count = self._encoder.moved().value
        durable = self._journal.durable
        early, self._early = self._early, 0
        strokes, moved = commanded - self._commanded, count - durable.encoder
        self.pacer.issued -= batch.strokes - strokes
        durable.open_strokes -= strokes - early
        durable.accounted += moved
        durable.encoder = count
        self._commanded = commanded
        if self._changes:
            self._settle()
        return strokes, moved + early, batch.interval_us

    def advance(self, now_us: int, edge_us: int, most: int, within_us: int) -> None:
        """Command what is due up to the edge, if the motor is free.

        One batch: at most `most` strokes and, beyond a single one, at most `within_us` long.
        """
        if self._batch is not None or self._reserving or self.failed:
            return
        pacer = self.pacer
        if not pacer.flow.numerator:
            return
        left = self._journal.durable.open_strokes
        if left <= 0:
            self._reserve()
            return
        if most > left:
            most = left
        if within_us > self._lookahead_us:
            within_us = self._lookahead_us
        batch = pacer.plan(now_us, most, edge_us, within_us, self._fastest_us)
        if batch is not None:
            self._motor.dispense(batch.strokes, batch.interval_us)
            pacer.issued += batch.strokes
            self._batch = batch

    def finished(self, edge_us: int) -> bool:
        """Return True when every stroke due up to the edge has been commanded and has ended."""
        return self._batch is None and (
            not self.pacer.flow.numerator or self.pacer.due_us(1) > edge_us
        )

    def _settle(self) -> None:
        for flow, at_us in self._changes:
            self.pacer.change(flow, at_us)
        self._changes.clear()
        if not self.pacer.flow.numerator:
            self._journal.durable.open_strokes = 0

    def _reserve(self) -> None:
        self._reserving = True
        self._journal.durable.open_strokes = self._quantum
        self._journal.write(self._reserved)

    def _reserved(self, ok: bool) -> None:
        self._reserving = False
        if not ok:
            self.failed = True
            self._journal.durable.open_strokes = 0
