"""The battery's life: elective replacement (ERI), end of service (EOS), low-battery fall-back.

ERI comes when the rest voltage has fallen to the profile's ERI voltage, at the latest so many days
before the service cap; service ends that many days after ERI, at the cap, or when the voltage
cannot be held, whichever comes first. The clock of ERI can only get shorter.
"""

from typing import Final

from firmware.alarms import AlarmManager
from firmware.device import DeviceConfig, Identity
from firmware.flow import HOUR_US
from firmware.journal import Durable
from hal.interfaces import Battery, Rtc
from protocol.codes import Code

CHECK_US: Final = HOUR_US
"""The battery is looked at this often; its voltage moves by microvolts in an hour."""
_DAY_S: Final = 86_400
_WALL_MAX_S: Final = 0xFFFFFFFF
"""The wall clock's last second, in 2136: no date is said that it cannot show."""


class Supply:
    """Watches battery and calendar."""

    def __init__(
        self, battery: Battery, rtc: Rtc, alarms: AlarmManager, config: DeviceConfig, who: Identity
    ) -> None:
        self._battery = battery
        self._rtc = rtc
        self._alarms = alarms
        self._config = config
        self.implanted_wall_s = who.implanted_wall_s
        cap_s = who.implanted_wall_s + config.service_days * _DAY_S
        self._cap_wall_s = min(cap_s, _WALL_MAX_S)
        self.next_check_us = 0

    def eri_wall_s(self, durable: Durable) -> int:
        """Return when ERI came, or will come at the latest."""
        latest = self._cap_wall_s - self._config.eri_days * _DAY_S
        return min(durable.eri_wall_s, latest) if durable.eri_wall_s else latest

    def eos_wall_s(self, durable: Durable) -> int:
        """Return when service ends at the latest."""
        return min(self._cap_wall_s, self.eri_wall_s(durable) + self._config.eri_days * _DAY_S)

    def check(self, now_us: int, durable: Durable) -> bool:
        """Look at battery and calendar; return True when service must end now."""
        wall_s = self._rtc.now_s()
        rest_mv = self._battery.rest_mv().value
        if not durable.eri_wall_s and (
            rest_mv <= self._config.eri_mv or wall_s >= self.eri_wall_s(durable)
        ):
            durable.eri_wall_s = wall_s
            self._alarms.raise_(Code.ERI)
        eos = rest_mv <= self._config.eos_mv or wall_s >= self.eos_wall_s(durable)
        self.next_check_us = now_us + self._next_in_us(wall_s, durable)
        return eos

    def _next_in_us(self, wall_s: int, durable: Durable) -> int:
        """Until the next routine look, or until a date that falls before it."""
        dates = [self.eos_wall_s(durable)]
        if not durable.eri_wall_s:
            dates.append(self.eri_wall_s(durable))
        ahead_us = [(date - wall_s) * 1_000_000 for date in dates if date > wall_s]
        return min([CHECK_US, *ahead_us])
