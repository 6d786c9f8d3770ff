"""The parts of docs/board.md that come from tables. As a program it writes them into the page."""

import ast
import enum
import inspect
import re
from collections.abc import Callable
from pathlib import Path

from micropython_board import PINS

from protocol import codec
from protocol.board_messages import BOARD_MESSAGES, DICTIONARY_ID, BoardCause, Capability

PAGE = Path(__file__).parents[2] / "docs" / "board.md"
_BOARD_SENDS = {"FlashData", "Report"}
_OTHER_WAYS = {
    "Attach": "HELLO",
    "Attached": "HELLO_RSP",
    "Telemetry": "HAL_CMD, HAL_RSP",
    **dict.fromkeys(("Tick", "Tock", "Grant", "Reached"), "HAL_TIME"),
}


def pins() -> str:
    """Return the pin table."""
    rows = ["| pin | Pico | direction | what |", "|---|---|---|---|"]
    rows += [
        f"| `{name}` | GP{number} | {direction} | {what} |"
        for name, number, direction, what in PINS.PINS
    ]
    return "\n".join(rows)


def messages() -> str:
    """Return the message table, a row for each field."""
    rows = [
        f"Dictionary `{DICTIONARY_ID:08x}`.",
        "",
        "| message | frame | field | type | meaning |",
        "|---|---|---|---|---|",
    ]
    for number, message in enumerate(BOARD_MESSAGES):
        name = message.__name__
        way = _OTHER_WAYS.get(name, "HAL_RSP" if name in _BOARD_SENDS else "HAL_CMD")
        rows.append(f"| **{number} {name}** | {way} | | | {_summary(message)} |")
        for field, spec in codec.fields(message):
            kind = f"{spec.kind}, at most {spec.maximum}" if len(spec.kind) > 1 else spec.kind
            unit = f", {spec.unit}" if spec.unit else ""
            rows.append(f"| | | `{field}` | {kind}{unit} | {spec.doc} |")
    return "\n".join(rows)


def members(enumeration: type[enum.IntEnum] | type[enum.IntFlag], head: str) -> str:
    """Return the table of an enum, with what the code says under each member."""
    body = ast.parse(inspect.getsource(enumeration)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = [
        node.value.value
        for node in body.body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    rows = [head, "|---|---|---|"]
    rows += [
        f"| {member.name} | {member.value} | {' '.join(doc.split())} |"
        for member, doc in zip(enumeration, docs, strict=True)
    ]
    return "\n".join(rows)


TABLES: dict[str, Callable[[], str]] = {
    "pins": pins,
    "messages": messages,
    "causes": lambda: members(BoardCause, "| cause | value | why the last session ended |"),
    "capabilities": lambda: members(Capability, "| capability | bit | the board has |"),
}


def rendered(page: str) -> str:
    """Return the page with its tables as the code has them."""
    for name, render in TABLES.items():
        table = render()
        page, found = re.subn(
            rf"(<!-- {name} -->\n).*?(<!-- end -->)",
            lambda match, table=table: f"{match[1]}{table}\n{match[2]}",
            page,
            flags=re.DOTALL,
        )
        assert found == 1, name
    return page


def _summary(message: type[codec.Message]) -> str:
    return inspect.cleandoc(message.__doc__ or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
