"""Ports on real descriptors: what the kernel does not take, who may come in, what is refused."""

import fcntl
import os
import select
import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator.ports import BUFFER_BYTES, STALL_US, Port, PortError, PtyPort, TcpPort, open_port

WAIT_S = 10


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


@pytest.fixture
def pty(selector: selectors.BaseSelector) -> Iterator[PtyPort]:
    port = PtyPort()
    port.attach(selector, lambda: None)
    yield port
    port.close()


def turn(selector: selectors.BaseSelector) -> None:
    """Do what the loop does when something is ready."""
    for key, _ in selector.select(WAIT_S):
        key.data()


def fill(port: Port, host_us: int) -> None:
    """Send until the kernel takes no more and the buffer is full."""
    while port.room:
        port.send(bytes(min(4096, port.room)), host_us)


def client_of(port: PtyPort) -> int:
    return os.open(port.url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)


def test_every_byte_value_passes_both_ways(pty: PtyPort) -> None:
    client = client_of(pty)
    every = bytes(range(256))
    os.write(client, every)
    assert pty.receive() == every
    pty.send(every, 0)
    assert select.select([client], [], [], WAIT_S)[0]
    assert os.read(client, 4096) == every
    os.close(client)


def test_a_pty_without_a_client_is_no_error(pty: PtyPort) -> None:
    assert pty.receive() == b""
    os.close(client_of(pty))
    assert pty.receive() == b""
    pty.send(b"x", 0)
    assert pty.send(b"", 0)


def test_what_the_kernel_does_not_take_is_kept_in_bounds(pty: PtyPort) -> None:
    fill(pty, 0)
    assert not pty.send(b"", 0)
    assert pty.room < BUFFER_BYTES


def test_a_reader_that_comes_in_time_gets_it_all(pty: PtyPort) -> None:
    sent = os.urandom(3 * 4096)
    pty.send(sent, 0)
    client = client_of(pty)
    got = b""
    while len(got) < len(sent):
        pty.send(b"", STALL_US)
        assert select.select([client], [], [], WAIT_S)[0]
        got += os.read(client, 65536)
    os.close(client)
    assert got == sent
    assert pty.send(b"", STALL_US)


def test_what_nobody_takes_is_dropped_but_not_called_taken(pty: PtyPort) -> None:
    fill(pty, 0)
    host_us = 0
    while pty.room < BUFFER_BYTES:
        host_us += STALL_US + 1
        assert not pty.send(b"", host_us)
    assert not pty.send(b"", host_us)


def test_tcp_serves_one_client_at_a_time(selector: selectors.BaseSelector) -> None:
    port = TcpPort(0)
    port.attach(selector, lambda: None)
    address = ("127.0.0.1", int(port.url.rsplit(":", 1)[1]))
    port.send(b"lost", 0)
    with socket.create_connection(address) as first:
        turn(selector)
        with socket.create_connection(address) as second:
            turn(selector)
            assert second.recv(1) == b""
        first.sendall(b"hello")
        selector.select(WAIT_S)
        assert port.receive() == b"hello"
        port.send(b"answer", 0)
        assert first.recv(100) == b"answer"
    with socket.create_connection(address) as third:
        while not port.receive():
            turn(selector)
            third.sendall(b"again")
    port.close()


@pytest.mark.parametrize(
    "text", ["", "com1", "tcp://0.0.0.0:1", "tcp://127.0.0.1", "tcp://127.0.0.1:65536", "tcp://[::1]:1"]
)  # fmt: skip
def test_other_ports_are_refused(text: str) -> None:
    with pytest.raises(PortError, match="give pty or tcp"):
        open_port(text)


def test_a_link_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PortError, match="No such file"):
        PtyPort(tmp_path / "nowhere" / "pump")


def test_a_link_to_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pump").symlink_to(tmp_path)
    with pytest.raises(PortError, match="not replaced"):
        PtyPort(tmp_path / "pump")


# --- whose link it is ----------------------------------------------------------------------------


def test_the_link_of_a_live_port_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    first = PtyPort(link)
    target = os.readlink(link)
    for _ in range(2):
        with pytest.raises(PortError, match="in use by another itpump"):
            PtyPort(link)
        assert os.readlink(link) == target
    first.close()
    assert os.listdir(tmp_path) == []


def test_a_live_port_keeps_its_link_when_the_link_itself_was_removed(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    first = PtyPort(link)
    link.unlink()
    with pytest.raises(PortError, match="in use by another itpump"):
        PtyPort(link)
    first.close()


def test_a_link_to_a_terminal_of_somebody_else_is_stale(tmp_path: Path) -> None:
    """The number of a terminal that an emulator had is given to another when it has died."""
    host, terminal = os.openpty()
    link = tmp_path / "pump"
    link.symlink_to(os.ttyname(terminal))
    port = PtyPort(link)
    assert os.readlink(link) != os.ttyname(terminal)
    port.close()
    os.close(host)
    os.close(terminal)


def test_a_link_whose_owner_died_is_replaced(tmp_path: Path) -> None:
    """A killed process leaves link and lock file; the lock itself has gone with it."""
    link = tmp_path / "pump"
    link.symlink_to("/dev/pts/99999")
    (tmp_path / ".pump.lock").touch()
    port = PtyPort(link)
    assert os.readlink(link) != "/dev/pts/99999"
    port.close()
    assert os.listdir(tmp_path) == []


def test_a_link_that_points_elsewhere_by_now_is_not_removed(tmp_path: Path) -> None:
    link = tmp_path / "pump"
    port = PtyPort(link)
    link.unlink()
    link.symlink_to("/dev/pts/99999")
    port.close()
    assert os.readlink(link) == "/dev/pts/99999"


def test_a_client_may_lock_the_terminal_for_itself(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "pump")
    client = client_of(port)
    fcntl.flock(client, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(client)
    port.close()
