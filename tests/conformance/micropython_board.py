"""The MicroPython agent as a process on two PTYs: one is its line, the other its radio.

The agent's files are those of a Pico, one line of pins.py apart; only `machine` is a stub. What the
rotor really did is in a file that the stub writes. As a program it prints the two ports and runs
until it is interrupted.
"""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path
from types import ModuleType, SimpleNamespace, TracebackType

HERE = Path(__file__).parent
AGENT = HERE.parent.parent / "hal" / "serial_board" / "agent"
STUB = HERE / "micropython_stub"
HEAP = "160K"
"""Less than a Pico gives its programs, and here every word is twice as long."""


def agent_module(name: str) -> ModuleType:
    """Import a module of the agent that needs no `machine` under CPython.

    They lie flat, as on a Pico, so their folder is on the path for this import alone.
    """
    before = set(sys.modules)
    sys.modules["micropython"] = SimpleNamespace(native=lambda function: function)
    sys.path.insert(0, str(AGENT))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(AGENT))
        for loaded in set(sys.modules) - before:
            del sys.modules[loaded]


PINS = agent_module("pins")


class _Pty:
    """A PTY whose far end is the agent's; this end stays open, so it can be opened at will."""

    def __init__(self) -> None:
        self.agent_fd, self._port_fd = os.openpty()
        tty.setraw(self._port_fd)
        self.path = os.ttyname(self._port_fd)

    def close(self) -> None:
        os.close(self.agent_fd)
        os.close(self._port_fd)


class MicroPythonBoard:
    """A board that can lose power (`power_off`, `power_on`) and keeps its flash and rotor."""

    def __init__(self, folder: Path, line: str = "usb") -> None:
        """Make a board in a folder of its own; `line` as in pins.py."""
        self.folder = folder
        self._agent = folder / "agent"
        shutil.copytree(AGENT, self._agent, ignore=shutil.ignore_patterns("__pycache__"))
        pins = (AGENT / "pins.py").read_text().replace('LINE = "usb"', f'LINE = "{line}"')
        (self._agent / "pins.py").write_text(pins)
        self._line, self._radio = _Pty(), _Pty()
        self.port, self.radio = self._line.path, self._radio.path
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "MicroPythonBoard":
        self.power_on()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.power_off()
        self._line.close()
        self._radio.close()

    def power_on(self) -> None:
        """Start the agent."""
        line, radio = self._line.agent_fd, self._radio.agent_fd
        command = shutil.which("micropython", path=os.path.dirname(sys.executable))
        assert command, "the test extra brings a micropython command"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [command, "-X", f"heapsize={HEAP}", str(self._agent / "main.py")],
                cwd=self.folder,
                env={
                    **os.environ,
                    "MICROPYPATH": f"{self._agent}:{STUB}:.frozen",
                    "UART0": str(line),
                    "UART1": str(radio),
                },
                stdin=line,
                stdout=line,
                stderr=log,
                pass_fds=(line, radio),
            )

    def power_off(self) -> None:
        """End it without a warning."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        """Whether the agent has power and has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Of the process; None without power."""
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> str:
        """What the agent has said that was not for the line."""
        return (self.folder / "log").read_text()

    def set(self, name: str, value: int) -> None:
        """Set what the stub's board senses: battery, gp<N>."""
        (self.folder / name).write_text(str(value))

    def steps_us(self) -> list[int]:
        """Return when each step was really made, us since 1970."""
        path = self.folder / "rotor"
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def supply_us(self) -> tuple[int, bool]:
        """Return when the motor's supply was last switched, us since 1970, and whether it is on."""
        when, level = (self.folder / "supply").read_text().splitlines()[-1].split()
        return int(when), level == "1"

    @property
    def strokes(self) -> int:
        """Whole strokes that the rotor has really made."""
        return len(self.steps_us()) // PINS.STEPS


def main() -> None:
    """Run a board until it is interrupted."""
    with tempfile.TemporaryDirectory() as folder, MicroPythonBoard(Path(folder)) as board:
        print(f"port={board.port} radio={board.radio} folder={folder}", flush=True)
        try:
            while board.running:
                time.sleep(0.2)
        except KeyboardInterrupt:
            return
        sys.exit(board.log)


if __name__ == "__main__":
    main()
