"""Where things lie in flash: 64 KiB for prescription and journal, then 512 KiB of event log.

sector 0, 1      the two copies of the prescription
sectors 2-8      journal half A
sectors 9-15     journal half B
from 64 KiB on   event log, a ring
"""

from typing import Final

SECTOR: Final = 4096
"""Sector the layout is drawn for; a board whose sectors are larger is refused at boot."""
PRESCRIPTION_COPIES: Final = (0 * SECTOR, 1 * SECTOR)
JOURNAL_HALVES: Final = (2 * SECTOR, 9 * SECTOR)
JOURNAL_HALF_BYTES: Final = 7 * SECTOR
LOG_START: Final = 16 * SECTOR
LOG_BYTES: Final = 512 * 1024
END: Final = LOG_START + LOG_BYTES
