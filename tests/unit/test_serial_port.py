"""The HAL's serial port on real PTYs and sockets: bytes, time, and each way to lose it."""

import os
import re
import socket
import threading
import tty
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from hal.errors import HalLost, HalUsageError
from hal.serial_board.port import SerialPort

SECOND_US = 1_000_000


class Far:
    """The far end of a PTY."""

    def __init__(self) -> None:
        self.fd, self._near = os.openpty()
        tty.setraw(self._near)
        os.set_blocking(self.fd, False)
        self.name = os.ttyname(self._near)

    def unplug(self) -> None:
        for fd in (self.fd, self._near):
            with suppress(OSError):
                os.close(fd)


@pytest.fixture
def far() -> Iterator[Far]:
    end = Far()
    yield end
    end.unplug()


def read_all(port: SerialPort, count: int) -> bytes:
    data = b""
    until_us = port.now_us() + SECOND_US
    while len(data) < count and port.now_us() < until_us:
        port.wait(until_us)
        data += port.read(4096)
    return data


def test_bytes_go_both_ways(far: Far) -> None:
    with closing(SerialPort(far.name)) as port:
        assert port.write(b"\x00\x03ask\x11\x13\xff") == 8
        assert os.read(far.fd, 100) == b"\x00\x03ask\x11\x13\xff"
        os.write(far.fd, b"answer")
        port.wait(port.now_us() + SECOND_US)
        assert port.read(3) == b"ans"
        assert port.read(4096) == b"wer"
        assert port.read(4096) == b""


def test_a_wait_ends_with_bytes_or_with_its_time(far: Far) -> None:
    with closing(SerialPort(far.name)) as port:
        before_us = port.now_us()
        port.wait(before_us + 20_000)
        assert port.now_us() >= before_us + 20_000
        os.write(far.fd, b"x")
        before_us = port.now_us()
        port.wait(before_us + 10 * SECOND_US)
        assert port.now_us() < before_us + 5 * SECOND_US
        port.wait(before_us)  # in the past: at once


def test_a_port_that_is_full_takes_a_part_and_then_the_rest(far: Far) -> None:
    with closing(SerialPort(far.name)) as port:
        sent = 0
        while taken := port.write(bytes(4096)):
            sent += taken
        before_us = port.now_us()
        port.wait(before_us + 10 * SECOND_US)
        assert port.now_us() < before_us + SECOND_US, "it must look again whether there is room"
        while sent > 0:
            sent -= len(os.read(far.fd, 65536))
        assert port.write(b"more") == 4


def test_an_unplugged_port_is_lost_in_every_call_until_it_is_open_again(
    far: Far, tmp_path: Path
) -> None:
    link = tmp_path / "board"
    link.symlink_to(far.name)
    with closing(SerialPort(str(link))) as port:
        far.unplug()
        port.wait(port.now_us() + 10 * SECOND_US)
        with pytest.raises(HalLost, match="unplugged"):
            port.read(1)
        for call in (lambda: port.read(1), lambda: port.write(b"x"), lambda: port.wait(0)):
            with pytest.raises(HalLost):
                call()
        with pytest.raises(HalLost):
            port.open()
        again = Far()
        link.unlink()
        link.symlink_to(again.name)
        port.open()
        assert port.write(b"x") == 1
        again.unplug()


def test_a_wait_is_ended_by_unplugging(far: Far) -> None:
    with closing(SerialPort(far.name)) as port:
        timer = threading.Timer(0.05, far.unplug)
        timer.start()
        before_us = port.now_us()
        port.wait(before_us + 20 * SECOND_US)
        assert port.now_us() < before_us + 10 * SECOND_US
        with pytest.raises(HalLost, match="unplugged"):
            port.read(1)
        timer.join()


def test_what_cannot_be_opened_is_one_clear_line(far: Far, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    with closing(SerialPort(far.name)):
        for name, why in (
            (str(tmp_path / "nothing"), "no such file or directory"),
            (str(plain), "not a serial port"),
            (far.name, "in use by another program"),
            ("socket://127.0.0.1:9", "connection refused"),
        ):
            with pytest.raises(HalLost, match=f"^port {re.escape(name)}: {why}$"):
                SerialPort(name)
    with pytest.raises(HalUsageError, match=r"^port bogus://x: .*$"):
        SerialPort("bogus://x")


def test_a_url_without_a_descriptor_passes_bytes() -> None:
    with closing(SerialPort("loop://")) as port:
        assert port.write(b"hello") == 5
        assert read_all(port, 5) == b"hello"
        before_us = port.now_us()
        port.wait(before_us + 10_000)
        assert port.now_us() >= before_us + 10_000


def test_a_socket_that_is_closed_is_lost() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"socket://127.0.0.1:{listener.getsockname()[1]}"
    with listener, closing(SerialPort(url)) as port:
        far, _ = listener.accept()
        far.sendall(b"last")
        far.close()
        assert read_all(port, 4) == b"last"
        with pytest.raises(HalLost):
            read_all(port, 1)
