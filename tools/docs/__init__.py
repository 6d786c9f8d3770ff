"""Pages that are made from the tables in the code, so that they cannot say something else.

`PAGES` names each file and what renders it. `write_all` writes them; `stale` says which differ from
the code, and a test fails while one does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tools.docs.alarms_page import render as alarms
from tools.docs.drugs_page import render as drugs
from tools.docs.hil_page import render as hil
from tools.docs.modes_page import render as modes
from tools.docs.profiles_page import render as profiles
from tools.docs.protocol_page import render as protocol
from tools.docs.scenarios_page import render as scenarios
from tools.docs.trials_page import render as trials

PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/alarms.md": alarms,
    "docs/drugs.md": drugs,
    "docs/hil.md": hil,
    "docs/modes.md": modes,
    "docs/profiles.md": profiles,
    "docs/protocol.md": protocol,
    "docs/scenarios.md": scenarios,
    "docs/trials.md": trials,
}
"""Path below the repository's folder -> what returns the page's text."""


def stale(root: Path) -> list[str]:
    """Return the pages that are missing below `root` or not what the code says."""
    return [path for path, render in PAGES.items() if _text(root / path) != render()]


def write_all(root: Path) -> list[str]:
    """Write the pages that are stale below `root`; return them."""
    written = stale(root)
    for path in written:
        (root / path).write_text(PAGES[path](), encoding="utf-8")
    return written


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
