"""docs/modes.md: the mode table as a table and as a diagram."""

from firmware.modes import MODES, TRANSITIONS


def render() -> str:
    """Return the page."""
    lines = [
        "# Modes",
        "",
        "Generated from `firmware/modes.py` by `itpump docs`. Do not edit.",
        "",
        "| mode | motor | what it is |",
        "|---|---|---|",
    ]
    for mode, (motor, what) in MODES.items():
        lines.append(f"| `{mode.name.lower()}` | {motor} | {what} |")
    lines += ["", "An event that is not listed for a mode is refused, and the mode stays.", ""]
    lines += ["| event | from | to | when |", "|---|---|---|---|"]
    for row in TRANSITIONS:
        sources = ", ".join(f"`{source.name.lower()}`" for source in row.sources)
        lines.append(f"| `{row.event.value}` | {sources} | `{row.to.name.lower()}` | {row.why} |")
    lines += ["", "```mermaid", "stateDiagram-v2", "    [*] --> self_test"]
    for row in TRANSITIONS:
        for source in row.sources:
            if source is not row.to:
                name = source.name.lower()
                lines.append(f"    {name} --> {row.to.name.lower()}: {row.event.value}")
    lines += ["```", ""]
    return "\n".join(lines)
