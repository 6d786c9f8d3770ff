"""The serial transport on real PTYs and sockets: bytes through, and each failure as one line."""

import contextlib
import os
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools.programmer.errors import BadInput, NoLink
from tools.programmer.transport import SerialTransport

SECOND_US = 1_000_000
LONG = bytes(range(256)) * 16


@pytest.fixture
def pty() -> Iterator[tuple[int, str]]:
    """The far end's descriptor and the port's name."""
    far, near = os.openpty()
    tty.setraw(near)
    name = os.ttyname(near)
    yield far, name
    for fd in (far, near):
        with contextlib.suppress(OSError):  # a test may have closed it
            os.close(fd)


def _file(path: Path) -> Path:
    path.write_text("")
    return path


def read_all(transport: SerialTransport, count: int) -> bytes:
    data = b""
    while len(data) < count and (part := transport.read(SECOND_US)):
        data += part
    return data


def test_bytes_go_both_ways_over_a_pty(pty: tuple[int, str]) -> None:
    far, name = pty
    transport = SerialTransport(name)
    transport.write(b"\x00\x03ask\x00")
    assert os.read(far, 100) == b"\x00\x03ask\x00"
    os.write(far, b"\x00\x03\x11\x13\xff\x00")
    assert transport.read(SECOND_US) == b"\x00\x03\x11\x13\xff\x00"
    transport.close()
    transport.close()


def test_silence_is_no_bytes_after_the_time_out(pty: tuple[int, str]) -> None:
    transport = SerialTransport(pty[1])
    before_us = transport.now_us()
    assert transport.read(20_000) == b""
    assert transport.now_us() - before_us >= 20_000


def test_what_is_there_is_read_at_once(
    pty: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = SerialTransport(pty[1])
    os.write(pty[0], LONG[:497])
    calls: list[int] = []
    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, n: (calls.append(n), read(fd, n))[1])
    assert transport.read(SECOND_US) == LONG[:497]
    assert len(calls) == 1


def test_a_port_in_use_is_said_so(pty: tuple[int, str]) -> None:
    first = SerialTransport(pty[1])
    with pytest.raises(NoLink, match="is in use by another program"):
        SerialTransport(pty[1])
    first.close()


def test_the_far_end_going_away_is_no_link(pty: tuple[int, str]) -> None:
    transport = SerialTransport(pty[1])
    os.close(pty[0])
    with pytest.raises(NoLink, match="closed at the other end or unplugged"):
        transport.read(SECOND_US)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda p: p / "none", "does not exist"),
        (lambda p: p, "is a folder"),
        (lambda p: _file(p / "file"), "is not a serial port"),
    ],
    ids=["missing", "folder", "file"],
)
def test_what_is_no_port_is_said_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], complaint: str
) -> None:
    with pytest.raises(NoLink, match=complaint) as failed:
        SerialTransport(str(make(tmp_path)))
    assert "\n" not in str(failed.value)


def test_an_unknown_url_is_bad_input() -> None:
    with pytest.raises(BadInput, match="nonsense"):
        SerialTransport("nonsense://x")


@pytest.mark.parametrize("url", ["socket://socket://x", "socket://", "socket://x:99999999"])
def test_a_malformed_url_is_bad_input_in_plain_words(url: str) -> None:
    with pytest.raises(BadInput) as failed:
        SerialTransport(url)
    assert str(failed.value) == (
        f"port {url} is malformed; a URL looks like socket://127.0.0.1:7700"
    )


def test_no_port_at_all_is_bad_input() -> None:
    with pytest.raises(BadInput, match="--port is empty"):
        SerialTransport("")


@pytest.mark.parametrize("baud", [0, -1, 10**20])
def test_what_is_no_baud_rate_is_bad_input(pty: tuple[int, str], baud: int) -> None:
    with pytest.raises(BadInput, match=f"--baud {baud} is no baud rate"):
        SerialTransport(pty[1], baud)


def test_loop_url_goes_through_pyserial() -> None:
    transport = SerialTransport("loop://")
    transport.write(b"echo")
    assert read_all(transport, 4) == b"echo"
    assert transport.read(1000) == b""
    transport.close()


def test_socket_url_has_no_delay_and_carries_long_data() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        transport = SerialTransport(f"socket://127.0.0.1:{port}")
        far, _ = server.accept()
        near = socket.socket(fileno=os.dup(transport._fd or 0))
        assert near.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        near.close()
        sender = threading.Thread(target=far.sendall, args=(LONG * 16,))
        sender.start()
        assert read_all(transport, len(LONG) * 16) == LONG * 16
        sender.join()
        far.close()
        with pytest.raises(NoLink, match="closed at the other end"):
            transport.read(SECOND_US)
        transport.close()


def test_nobody_listening_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoLink, match="nothing listens there"):
        SerialTransport(f"socket://127.0.0.1:{port}")


def test_a_port_that_takes_no_data_is_given_up(
    pty: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.programmer.transport.WRITE_TIMEOUT_MS", 10)
    transport = SerialTransport(pty[1])
    with pytest.raises(NoLink, match="takes no data"):
        transport.write(LONG * 100)
