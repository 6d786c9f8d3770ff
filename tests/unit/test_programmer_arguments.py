"""What `itpump programmer` takes for an amount on its command line, and what it says of others."""

import argparse

import pytest

from tools.programmer import command


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="itpump programmer")
    command.add_arguments(parser)
    return parser.parse_args(["--port", "test", *words])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("bolus", "-5ug"), "-5ug: it cannot be negative"),
        (("refill", "20mL", "--residual", "-.5mL"), "-.5mL: it cannot be negative"),
        (("clock", "--by", "-1h"), "-1h: it cannot be negative; a shift backwards is --by=-1h"),
    ],
)
def test_a_negative_amount_is_one_clear_line(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"itpump: {complaint}\n"


def test_a_shift_backwards_may_be_negative() -> None:
    assert parsed("clock", "--by=-1h").by == "-1h"
