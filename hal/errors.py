"""Errors a board may raise.

HalError
├── HalUsageError   the caller broke a rule of the interface (a bug in the controller)
│   └── HalBusy     one operation at a time: the last one has not ended yet
├── HalLost         the board cannot be reached (a real board whose cable was pulled)
└── HalMismatch     this controller cannot run on that board (it will not help to try again)
"""


class HalError(Exception):
    """Base of everything a board raises."""


class HalUsageError(HalError):
    """The call breaks a rule of the interface: range, alignment, order. Nothing was done."""


class HalBusy(HalUsageError):
    """The peripheral takes one operation at a time and the last one has not ended."""


class HalLost(HalError):
    """The board does not answer. Motion ends by the board's own dead-man rule."""


class HalMismatch(HalError):
    """The board is another one than before, or not one that this controller can run on."""
