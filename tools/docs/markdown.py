"""Markdown from rows and bytes."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; a bar inside a cell is escaped."""
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    return "\n".join(lines)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def code(text: str, language: str = "") -> str:
    """Return a fenced block."""
    return f"```{language}\n{text.rstrip()}\n```"


def hex_bytes(data: bytes) -> str:
    """Return bytes as `00 1a ff`."""
    return data.hex(" ")


def hex_lines(data: bytes, width: int = 24) -> str:
    """Return bytes as lines of `width`."""
    return "\n".join(hex_bytes(data[at : at + width]) for at in range(0, len(data), width))


def paragraphs(*parts: str) -> str:
    """Return parts of a page with one empty line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part)
