"""Two processes: the controller drives the motor, and talks to its programmer, over serial lines.

Every judgement is by what the board's rotor has really done.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from board_pair import (
    PROFILE,
    SECOND_US,
    SILENCE_US,
    STROKE_NL,
    STROKE_US,
    Board,
    Cable,
    Process,
    accounted,
    alarms,
    bolus,
    log_of,
    therapy,
    transact,
)
from live_pump import itpump

from hal.interfaces import ResetCause
from protocol.codes import BolusBasal, BolusKind, Code, Mode, TxnOp
from protocol.messages import Status
from tools.programmer.client import Client

LATE_US = 150_000
"""What a look through the bench, and a busy machine, may add to a time."""
BASAL_S = 4
"""Strokes a second."""
LOOKAHEAD_STROKES = 20
"""What a board can have queued of a bolus: 2 s of 10 strokes a second."""


class Pair:
    """Board and controller of one test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self.board = self.new_board("--seed", "1")
        self._controllers = 0

    def new_board(self, *words: str) -> Board:
        links = ("--link", str(self._folder / "line"), "--telemetry-link", str(self._folder / "r"))
        board = Board(self._folder / "board.log", *links, *words)
        self._stack.callback(board.kill)
        return board

    def control(self, port: str | None = None) -> Process:
        """Start the controller."""
        self._controllers += 1
        log = self._folder / f"controller{self._controllers}.log"
        words = ("run", "--board", port or self.board.port, "--profile", PROFILE)
        process = Process(log, *words)
        self._stack.callback(process.kill)
        return process

    def cable(self, seed: int = 1) -> Cable:
        """Lay a cable that can be spoilt."""
        cable = Cable(self.board.port, self._folder / "cable", seed)
        self._stack.callback(cable.close)
        return cable


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(tmp_path, stack)


def settled(client: Client, board: Board) -> tuple[Status, int]:
    """Stop the pump; return its status and the strokes that the rotor has made."""
    client.stop()
    table = board.until(lambda table: not table["truth.motor_running"])
    assert table["truth.strokes"] == int(table["truth.strokes"])
    return client.status(), int(table["truth.strokes"])


def given(client: Client) -> int:
    """Strokes that the log says the only bolus ended early with."""
    (record,) = log_of(client, Code.BOLUS_ENDED_EARLY)
    assert record.a % STROKE_NL == 0
    return record.a // STROKE_NL


def start_bolus(board: Board) -> float:
    """Begin 40 strokes over 4 s, the basal paused; return the strokes before, to one."""
    with board.client() as client:
        transact(client, TxnOp.PROGRAM, therapy(BASAL_S))
        before = board.strokes
        transact(client, TxnOp.BOLUS, bolus(40, 4 * SECOND_US))
    return before


def stopped_by_dead_man(board: Board, since_us: int) -> int:
    """Wait until the motor has no power; judge how soon; return the strokes it has made."""
    table = board.until(lambda table: table["truth.supply_cut"])
    assert table["run.now_us"] - since_us <= SILENCE_US + STROKE_US + LATE_US
    assert not table["truth.motor_running"]
    strokes = table["truth.strokes"]
    assert strokes == int(strokes), "a stroke is finished, not torn"
    time.sleep(0.2)
    assert board.strokes == strokes
    return int(strokes)


def resumed(board: Board, before: float, stopped: int) -> None:
    """Judge what follows a bolus that ended because the board's line was lost."""
    board.until_moved(stopped + 2)
    with board.client() as client:
        status, strokes = settled(client, board)
        assert alarms(status) == {Code.BOARD_LINK_LOST}
        assert abs(given(client) - (stopped - before)) <= 1
        reset = log_of(client, Code.RESET)[-1]
        assert (reset.a, reset.b) == (ResetCause.LINK_LOST, 0)
        assert not log_of(client, Code.BOLUS_DONE)
    assert accounted(status) == strokes


# --- delivery -----------------------------------------------------------------------------------


def test_rate_and_bolus_are_delivered_exactly(pair: Pair) -> None:
    controller = pair.control()
    assert controller.ready["board"] == pair.board.port
    assert controller.ready["lookahead_us"] == 2 * SECOND_US
    board = pair.board
    with board.client() as client:
        from_us = [board.truth()["run.now_us"]]
        transact(client, TxnOp.PROGRAM, therapy(BASAL_S, BolusBasal.CONTINUE))
        from_us.append(board.truth()["run.now_us"])
        transact(client, TxnOp.BOLUS, bolus(12, 1_500_000))
        board.until_moved(12 + BASAL_S * 1.7)
        while client.status().bolus is BolusKind.SINGLE:
            time.sleep(0.02)
        to_us = [board.truth()["run.now_us"]]
        status, strokes = settled(client, board)
        to_us.append(board.truth()["run.now_us"])
        (done,) = log_of(client, Code.BOLUS_DONE)
    least_us, most_us = to_us[0] - from_us[1], to_us[1] - from_us[0]
    assert most_us - least_us < SECOND_US
    assert done.a == 12 * STROKE_NL
    assert BASAL_S * least_us // SECOND_US <= strokes - 12 <= BASAL_S * most_us // SECOND_US + 1
    assert accounted(status) == strokes
    assert status.mode is Mode.STOPPED
    assert not status.alarms


@pytest.mark.parametrize("spoil", ["noise", "stalls"])
def test_a_bad_line_costs_no_stroke(pair: Pair, spoil: str) -> None:
    cable = pair.cable()
    pair.control(str(cable.link))
    board = pair.board
    with board.client() as client:
        transact(client, TxnOp.PROGRAM, therapy(BASAL_S))
        before = board.strokes
        transact(client, TxnOp.BOLUS, bolus(24, 2_400_000))
    if spoil == "noise":
        cable.noise(1e-4)
        board.until_moved(before + 23)
        assert cable.flipped >= 2
        cable.noise(0)
    else:
        while board.strokes < before + 23:
            cable.stall(0.2)
            time.sleep(0.5)
    board.until_moved(before + 26)
    with board.client() as client:
        status, strokes = settled(client, board)
        (done,) = log_of(client, Code.BOLUS_DONE)
        assert not log_of(client, Code.RESET)
    assert done.a == 24 * STROKE_NL
    assert accounted(status) == strokes
    assert not status.alarms


# --- the controller dies ------------------------------------------------------------------------


def test_a_killed_controller_stops_the_board_and_the_next_one_resumes(pair: Pair) -> None:
    controller, board = pair.control(), pair.board
    before = start_bolus(board)
    killed_us = board.until_moved(before + 5)["run.now_us"]
    controller.kill()
    stopped = stopped_by_dead_man(board, killed_us)
    assert stopped < before + 5 + 8, "most of the batch under way was never given"
    from_us = board.truth()["run.now_us"]
    pair.control()
    resumed(board, before, stopped)
    table = board.truth()
    due = BASAL_S * (table["run.now_us"] - from_us) // SECOND_US
    assert table["truth.strokes"] - stopped <= due + 1, "nothing is given twice"


def test_a_hung_controller_stops_the_board_and_resumes_when_it_wakes(pair: Pair) -> None:
    controller, board = pair.control(), pair.board
    before = start_bolus(board)
    hung_us = board.until_moved(before + 5)["run.now_us"]
    controller.process.send_signal(signal.SIGSTOP)
    try:
        stopped = stopped_by_dead_man(board, hung_us)
    finally:
        controller.process.send_signal(signal.SIGCONT)
    controller.event("board lost: ")
    controller.event("board back: LINK_LOST")
    resumed(board, before, stopped)


def test_a_controller_that_is_told_to_end_ends_well(pair: Pair) -> None:
    controller = pair.control()
    controller.process.send_signal(signal.SIGTERM)
    assert controller.ended() == 0
    assert controller.log.read_text() == ""


# --- the cable ----------------------------------------------------------------------------------


def test_hot_unplug_and_replug(pair: Pair) -> None:
    cable = pair.cable()
    controller, board = pair.control(str(cable.link)), pair.board
    before = start_bolus(board)
    out_us = board.until_moved(before + 5)["run.now_us"]
    cable.unplug()
    assert controller.event("board lost: ").endswith("unplugged, or closed at the other end")
    stopped = stopped_by_dead_man(board, out_us)
    cable.plug()
    controller.event("board back: LINK_LOST")
    resumed(board, before, stopped)


def test_a_line_that_falls_silent_and_speaks_again(pair: Pair) -> None:
    controller, board = pair.control(), pair.board
    before = start_bolus(board)
    silent_us = board.until_moved(before + 5)["run.now_us"]
    board.ask("inject", fault="line.cut")
    stopped = stopped_by_dead_man(board, silent_us)
    controller.event("board lost: the board ")
    board.ask("clear", fault="line.cut")
    controller.event("board back: LINK_LOST")
    resumed(board, before, stopped)


# --- the board ----------------------------------------------------------------------------------


def test_a_board_without_power_loses_count_on_the_safe_side(pair: Pair) -> None:
    controller, board = pair.control(), pair.board
    before = start_bolus(board)
    board.until_moved(before + 5)
    board.ask("power-cut", duration_us=100_000)
    controller.event("board lost: ")
    controller.event("board back: LINK_LOST")
    board.until_moved(before + 10)
    with board.client() as client:
        status, strokes = settled(client, board)
        assert len(log_of(client, Code.BOLUS_ENDED_EARLY)) == 1
    assert Code.BOARD_LINK_LOST in alarms(status)
    assert 0 <= accounted(status) - strokes <= LOOKAHEAD_STROKES


def test_another_board_on_the_same_line_is_refused(pair: Pair) -> None:
    controller = pair.control()
    pair.board.kill()
    other = pair.new_board("--seed", "2")
    assert controller.ended() == 4
    error = controller.log.read_text()
    assert error.startswith("itpump run: this is board ")
    assert error.count("\n") == 1
    assert other.truth()["truth.strokes"] == 0


def test_a_port_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    done = itpump("run", "--board", str(tmp_path / "nothing"))
    assert done.returncode == 4
    assert done.stderr == f"itpump run: port {tmp_path}/nothing: no such file or directory\n"
