"""What can go wrong for the programmer, each with the command's exit code.

ProgrammerError
├── BadInput    the caller asked for something that cannot be asked                     exit 2
│   └── JournalError     the transaction journal cannot be read or written               exit 2
├── Refused     the pump said no; nothing but its log has changed                       exit 3
│   ├── OutsideLimits    the programmer said no by itself; nothing was sent              exit 3
│   └── PreviewChanged   the pump's preview is no longer the one that was confirmed      exit 3
├── NotByPlan   the plan of a trial says no; nothing was sent                            exit 3
├── NoLink      the port or the pump does not answer (also a TimeoutError)              exit 4
├── Uncertain   a command was sent and its result is not known: ask `status`            exit 5
├── OutputLost  what was to be shown could not be written                               exit 74
└── Interrupted Ctrl-C; the message says what the pump had done by then                 exit 130
"""

from typing import ClassVar

from protocol.errors import ErrorCode
from protocol.messages import Preview, Refusal
from tools.programmer.refusals import sentence


class ProgrammerError(Exception):
    """Base of the programmer's errors; the message is one line for a person."""

    exit_code: ClassVar[int] = 1


class BadInput(ProgrammerError):
    """What was asked cannot be asked: a wrong argument, a file that does not hold a therapy."""

    exit_code: ClassVar[int] = 2


class JournalError(BadInput):
    """The transaction journal is damaged, or its folder cannot be read or written."""


class Refused(ProgrammerError):
    """The pump refused; `code` and `refusal` say why, in the pump's own numbers."""

    exit_code: ClassVar[int] = 3

    def __init__(self, code: ErrorCode, refusal: Refusal) -> None:
        super().__init__(f"refused by the pump: {code.name}: {sentence(code, refusal)}")
        self.code = code
        self.refusal = refusal


class OutsideLimits(Refused):
    """The programmer refused, by the limits that pump and programmer share; nothing was sent."""

    def __init__(self, code: ErrorCode, refusal: Refusal, words: str) -> None:
        super().__init__(code, refusal)
        override = "; --override when it is meant" if code is ErrorCode.LIMIT_SOFT else ""
        self.args = (f"refused by the programmer: {code.name}: {words}{override}",)


class PreviewChanged(Refused):
    """The pump's preview differs from the confirmed one; `preview` is the new one, to review."""

    def __init__(self, preview: Preview) -> None:
        super().__init__(ErrorCode.HASH, Refusal(0, 0, 0))
        self.preview = preview


class NotByPlan(ProgrammerError):
    """The plan of a trial, or what became of it, says no; nothing was sent."""

    exit_code: ClassVar[int] = 3


class NoLink(ProgrammerError, TimeoutError):
    """No port, or no answer from a pump. Nothing that doses was left in the balance."""

    exit_code: ClassVar[int] = 4


class Uncertain(ProgrammerError):
    """A command went out and how it ended is not known: it acted once, or not at all."""

    exit_code: ClassVar[int] = 5


class OutputLost(ProgrammerError):
    """stdout takes no more, e.g. a full disk; the message says what the pump had done by then."""

    exit_code: ClassVar[int] = 74


class Interrupted(ProgrammerError):
    """Ctrl-C with nothing in the balance; the message says what the pump had done by then."""

    exit_code: ClassVar[int] = 130
