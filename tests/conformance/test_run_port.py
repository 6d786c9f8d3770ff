"""The port of `itpump run` from outside: other programs, bad bytes, slow and second clients."""

import os
import pty
import random
import select
import shutil
import socket
import stat
import subprocess
import sys
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial
from live_pump import END_S, Emulator, itpump

from protocol.codes import Mode, Role
from protocol.framing import Deframer, Frame, FrameType, encode

Start = Callable[..., Emulator]

PORTS = ["pty", "tcp://127.0.0.1:0"]
PING = encode(Frame(FrameType.PING, 0, 0, 1, 0, b"hello"))
GARBAGE_BYTES = 1 << 20


def pong_in(data: bytes) -> bool:
    return any(
        frame.type is FrameType.PONG and frame.payload == b"hello"
        for frame in Deframer().feed(data, 0)
    )


@contextmanager
def raw_open(port: str) -> Iterator[int]:
    """Open the port with nothing but the system's own calls; yields a non-blocking descriptor."""
    if port.startswith("socket://"):
        with socket.create_connection(("127.0.0.1", int(port.rsplit(":", 1)[1]))) as line:
            line.setblocking(False)
            yield line.fileno()
            # What is still on its way keeps the port: wait until the emulator has read it.
            line.shutdown(socket.SHUT_WR)
            line.settimeout(END_S)
            while line.recv(65536):
                pass
    else:
        fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            yield fd
        finally:
            os.close(fd)


@pytest.mark.parametrize("where", PORTS)
def test_plain_pyserial_gets_an_answer(start: Start, where: str) -> None:
    emulator = start("--port", where)
    with serial.serial_for_url(emulator.port, 115200, timeout=END_S) as port:
        port.write(PING)
        answer = b""
        while not pong_in(answer):
            part = port.read(1)
            assert part, f"no PONG, only {answer!r}"
            answer += part


@pytest.mark.parametrize("where", PORTS)
def test_a_client_reads_the_status(start: Start, where: str) -> None:
    emulator = start("--port", where)
    with emulator.client() as client:
        assert client.session is not None
        assert client.session.role is Role.CLINICIAN
        status = client.status()
    assert status.mode is Mode.STOPPED
    assert status.computed_nl == 40_000_000


@pytest.mark.parametrize("where", PORTS)
def test_garbage_harms_nothing(start: Start, where: str, therapy: str) -> None:
    emulator = start("--port", where, "--therapy", therapy)
    noise = random.Random(1).randbytes(GARBAGE_BYTES)
    with raw_open(emulator.port) as fd:
        while noise:
            readable, writable, _ = select.select([fd], [fd], [], END_S)
            assert readable or writable, "the port takes nothing"
            if readable:
                os.read(fd, 65536)
            if writable:
                noise = noise[os.write(fd, noise[:4096]) :]
    with emulator.client() as client:
        status = client.status()
    assert status.mode is Mode.BASAL
    assert not status.alarms
    assert status.boot_id == 1


@pytest.mark.parametrize("where", PORTS)
def test_a_client_that_never_reads_blocks_nobody(start: Start, where: str) -> None:
    emulator = start("--port", where)
    with raw_open(emulator.port) as fd:
        sent = 0
        while sent < 1 << 20 and select.select([], [fd], [], 0.2)[1]:
            sent += os.write(fd, PING * 100)
        before_us = after_us = emulator.ask("status")["run.now_us"]
        deadline_s = time.monotonic() + END_S
        while after_us == before_us:
            assert time.monotonic() < deadline_s, "time stands still"
            after_us = emulator.ask("status")["run.now_us"]
    with emulator.client() as client:
        assert client.status().boot_id == 1


def test_the_pty_stays_when_its_client_goes(start: Start) -> None:
    emulator = start()
    for _ in range(3):
        with emulator.client() as client:
            assert client.status().boot_id == 1


def test_the_pty_is_for_its_owner_only(start: Start) -> None:
    assert stat.S_IMODE(os.stat(start().port).st_mode) == 0o600


def test_a_second_tcp_client_is_closed_and_the_first_goes_on(start: Start) -> None:
    emulator = start("--port", "tcp://127.0.0.1:0")
    address = ("127.0.0.1", int(emulator.port.rsplit(":", 1)[1]))
    with emulator.client() as client:
        with socket.create_connection(address, timeout=END_S) as second:
            assert second.recv(1) == b""
        assert client.status().boot_id == 1


def test_a_second_tcp_programmer_is_told_that_another_has_the_port(start: Start) -> None:
    emulator = start("--port", "tcp://127.0.0.1:0")
    with emulator.client():
        done = itpump("programmer", "--port", emulator.port, "status")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "was closed at the other end before any answer: another client may" in done.stderr


def test_tcp_listens_on_the_loopback_address_only(start: Start) -> None:
    done = itpump("run", "--port", "tcp://0.0.0.0:0")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "tcp://127.0.0.1:N" in done.stderr


def test_a_tcp_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = itpump("run", "--port", f"tcp://127.0.0.1:{other.getsockname()[1]}")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("Address already in use")


# --- other people's programs --------------------------------------------------------------------


def miniterm(port: str) -> list[str]:
    options = ["--raw", "--quiet", "--eol", "LF", "--encoding", "latin-1"]
    return [sys.executable, "-m", "serial.tools.miniterm", *options, port, "115200"]


def socat(port: str) -> list[str]:
    return ["socat", "-", f"{port},raw,echo=0"]


PROGRAMS = [miniterm, *([socat] if shutil.which("socat") else [])]


@pytest.mark.parametrize("program", PROGRAMS)
def test_another_program_passes_bytes(start: Start, program: Callable[[str], list[str]]) -> None:
    emulator = start()
    host, terminal = pty.openpty()
    tty.setraw(terminal)
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        program(emulator.port), stdin=terminal, stdout=terminal, env=environment
    )
    try:
        # Sent again while the program starts: it may flush what came before it was ready.
        deadline_s = time.monotonic() + END_S
        answer = b""
        while not pong_in(answer):
            assert time.monotonic() < deadline_s, answer
            os.write(host, PING)
            if select.select([host], [], [], 0.5)[0]:
                answer += os.read(host, 4096)
    finally:
        process.kill()
        process.wait(END_S)
        os.close(host)
        os.close(terminal)


# --- the symlink --------------------------------------------------------------------------------


def test_the_link_is_there_while_the_emulator_runs(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "pump"
    emulator = start("--link", str(link))
    assert emulator.port == str(link)
    assert os.readlink(link).startswith("/dev/pts/")
    with emulator.client() as client:
        assert client.status().boot_id == 1
    emulator.stop()
    assert not os.path.lexists(link)


def test_a_stale_link_is_replaced(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "pump"
    link.symlink_to("/dev/pts/99999")
    emulator = start("--link", str(link))
    with emulator.client() as client:
        assert client.status().boot_id == 1


def test_what_is_no_link_of_ours_is_not_touched(tmp_path: Path) -> None:
    precious = tmp_path / "notes.txt"
    precious.write_text("keep")
    link = tmp_path / "pointer"
    link.symlink_to(precious)
    for path in (precious, link):
        done = itpump("run", "--link", str(path))
        assert done.returncode == 2
        assert "not replaced" in done.stderr
        assert path.read_text() == "keep"


def test_the_link_of_a_running_emulator_is_refused(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "pump"
    emulator = start("--link", str(link))
    for command in ("run", "board"):
        done = itpump(command, "--link", str(link))
        assert done.returncode == 2
        assert done.stderr == f"itpump {command}: {link}: in use by another itpump; not replaced\n"
    with emulator.client() as client:
        assert client.status().boot_id == 1


def test_the_link_of_a_killed_emulator_is_replaced(start: Start, tmp_path: Path) -> None:
    link = tmp_path / "pump"
    killed = start("--link", str(link))
    killed.process.kill()
    killed.process.wait(END_S)
    assert os.path.lexists(link)
    emulator = start("--link", str(link))
    with emulator.client() as client:
        assert client.status().boot_id == 1
    emulator.stop()
    assert [name for name in os.listdir(tmp_path) if "pump" in name] == []
