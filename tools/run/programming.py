"""Programs the pump at start, through its own port, as a clinician programmer does.

The client blocks, so it runs in a thread of its own over the real port, while the loop serves it.
"""

import dataclasses
import threading
from collections.abc import Callable
from typing import NamedTuple

from protocol.codes import TxnOp
from protocol.messages import FILL_NOT_TOLD, ProgramParameters
from tools import therapy_file
from tools.programmer import read_back
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
        therapy = client.prescription().therapy
        known = therapy if therapy.drugs else None
        status, device = client.status(), client.device()
        table = therapy_file.load_table(self._path)
        if self._fill_nl is None and known in [
            one.therapy for one in table.programs(known, device)
        ]:
            return "the pump has this therapy already"
        for wanted in table.programs(known, device, status.wall_s):
            self._program_one(client, wanted)
        return "therapy programmed and read back"

    def _program_one(self, client: Client, wanted: ProgramParameters) -> None:
        if self._fill_nl is None:
            wanted = dataclasses.replace(wanted, fill_nl=FILL_NOT_TOLD)
        elif wanted.fill_nl == FILL_NOT_TOLD and not wanted.at_wall_s:
            wanted = dataclasses.replace(wanted, fill_nl=self._fill_nl)
        wanted = dataclasses.replace(wanted, override=1)
        client.commit(client.prepare(TxnOp.PROGRAM, wanted, client.status().generation))
        if not read_back.equal(client, wanted):
            raise ProgrammerError("the therapy read back differs from the one sent")
