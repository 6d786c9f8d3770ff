"""Programs the pump at start, through its own port, as a clinician programmer does.

The client blocks, so it runs in a thread of its own over the real port, while the loop serves it.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import NamedTuple

from protocol.codes import TxnOp
from protocol.messages import FILL_NOT_TOLD
from tools import therapy_file
from tools.programmer.client import Client
from tools.programmer.errors import ProgrammerError
from tools.programmer.transport import SerialTransport
from tools.toml_file import FileError


class Outcome(NamedTuple):
    """How programming ended."""

    exit_code: int
    message: str


class Programming(threading.Thread):
    """Programs the therapy of a file, reads it back, and hands the outcome to `done`.

    What a run starts from is meant: soft limits are passed, and the pump logs it.
    `fill_nl` is told to the pump when the file names no fill; None: the pump keeps its own count,
    whatever the file says, because its reservoir was not filled now.
    """

    def __init__(
        self, port: str, path: str, fill_nl: int | None, done: Callable[[Outcome], None]
    ) -> None:
        super().__init__(name="programming", daemon=True)
        self._port = port
        self._path = path
        self._fill_nl = fill_nl
        self._done = done

    def run(self) -> None:
        """Work until done; never raises."""
        try:
            self._done(Outcome(0, self._program()))
        except FileError as error:
            self._done(Outcome(2, str(error)))
        except ProgrammerError as error:
            self._done(Outcome(error.exit_code, str(error)))
        except Exception as error:  # the run must end, not wait for ever
            self._done(Outcome(1, f"programming failed: {error!r}"))

    def _program(self) -> str:
        transport = SerialTransport(self._port)
        try:
            client = Client(transport, port=self._port)
            client.open()
            message = self._program_over(client)
            client.close()
            return message
        finally:
            transport.close()

    def _program_over(self, client: Client) -> str:
        current = client.prescription()
        known = current.therapy if current.generation else None
        wanted = therapy_file.load(self._path, known, client.device())
        if self._fill_nl is None:
            if wanted.therapy == known:
                return "the pump has this therapy already"
            wanted = dataclasses.replace(wanted, fill_nl=FILL_NOT_TOLD)
        elif wanted.fill_nl == FILL_NOT_TOLD:
            wanted = dataclasses.replace(wanted, fill_nl=self._fill_nl)
        wanted = dataclasses.replace(wanted, override=1)
        client.commit(client.prepare(TxnOp.PROGRAM, wanted, client.status().generation))
        if client.prescription().therapy != wanted.therapy:
            raise ProgrammerError("the therapy read back differs from the one sent")
        return "therapy programmed and read back"
