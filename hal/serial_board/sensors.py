"""Battery, field and level sensor of a board at the far end of a line: as last reported."""

from typing import Final

from hal.errors import HalUsageError
from hal.interfaces import Sample
from hal.serial_board.link import ControllerLink
from protocol.board_messages import NO_LEVEL, ArmLowVoltage, Report

_THRESHOLD_MAX_MV: Final = 65_535


class SerialBattery:
    """`hal.Battery`."""

    def __init__(self, link: ControllerLink) -> None:
        self._link = link
        self._rest = self._loaded = Sample(0, 0)
        self._present = False

    def rest_mv(self) -> Sample:
        """Voltage with the motor idle, mV."""
        return self._rest

    def loaded_mv(self) -> Sample:
        """Voltage while the motor is driven, mV."""
        return self._loaded

    def present(self) -> bool:
        """False when the battery has been taken out."""
        return self._present

    def arm_low_voltage(self, threshold_mv: int) -> None:
        """Let the board watch its voltage. Raises HalUsageError outside 0..65535; HalLost."""
        if not 0 <= threshold_mv <= _THRESHOLD_MAX_MV:
            raise HalUsageError(f"comparator threshold {threshold_mv} mV does not fit 16 bits")
        self._link.send(ArmLowVoltage(threshold_mv))

    def reported(self, report: Report, taken_us: int) -> None:
        """Take what the board says."""
        self._rest = Sample(report.rest_mv, taken_us)
        self._loaded = Sample(report.loaded_mv, taken_us)
        self._present = bool(report.battery_present)


class SerialMagnet:
    """`hal.MagnetSensor`."""

    def __init__(self) -> None:
        self._field = Sample(0, 0)

    def field_present(self) -> Sample:
        """1 when a field is sensed, else 0."""
        return self._field

    def reported(self, report: Report, taken_us: int) -> None:
        """Take what the board says."""
        self._field = Sample(report.magnet, taken_us)


class SerialReservoirSensor:
    """`hal.ReservoirSensor`."""

    def __init__(self) -> None:
        self._level = Sample(0, 0)

    def level_nl(self) -> Sample:
        """Volume above the unextractable residual, nL; the last one while it cannot be read."""
        return self._level

    def reported(self, report: Report, taken_us: int) -> None:
        """Take what the board says."""
        if report.level_nl != NO_LEVEL:
            self._level = Sample(report.level_nl, taken_us)
