"""docs/alarms.md: the alarm table."""

from emulator.profile import Profile, names
from firmware.alarms import ALARMS, AT_REST, Alarm, Priority

_MINUTE_US = 60_000_000
_HOUR_US = 3_600_000_000


def render() -> str:
    """Return the page."""
    lines = [
        "# Alarms",
        "",
        "Generated from `firmware/alarms.py` and the profiles by `itpump docs`. Do not edit.",
        "",
        "The highest priority sounds; the others stay listed in order of occurrence. A latched",
        "alarm ends only when its condition is false and a clinician has cleared it.",
        "",
        "An alarm with two priorities comes again when it becomes more urgent, and then refuses",
        "boluses.",
        "",
        "| code | number | priority | condition | action | latches | boluses while it stands |",
        "|---|---|---|---|---|---|---|",
    ]
    for code, alarm in ALARMS.items():
        latches = "yes" if alarm.latches else "no"
        lines.append(
            f"| `{code.name}` | {code.value} | {_priority(alarm)} | {alarm.condition} "
            f"| {alarm.action} | {latches} | {alarm.boluses.value} |"
        )
    lines += [
        "",
        f"{Priority.HIGH.name} and {Priority.MEDIUM.name} sound the critical tone (3 s two-tone), "
        f"{Priority.LOW.name} the non-critical one (1 s single tone).",
        "",
        "A pump out of service, which was told that it holds 0 mL and whose program is `stopped`,",
        "calls nobody: it sounds nothing, and these do not stand:",
        ", ".join(f"`{code.name}`" for code in AT_REST) + ".",
        "Other alarms stay listed, and sound again when it is put back into service.",
        "",
        "| profile | critical tone every | non-critical tone every | stall: basal | stall: bolus "
        "| stopped too long |",
        "|---|---|---|---|---|---|",
    ]
    for name in names():
        device = Profile.load(name).device
        lines.append(
            f"| `{name}` | {device.critical_interval_us // _MINUTE_US} min "
            f"| {device.non_critical_interval_us // _MINUTE_US} min "
            f"| {device.stall_strokes} strokes and {device.stall_us // _MINUTE_US} min "
            f"| {device.bolus_stall_strokes} strokes or {device.bolus_stall_us // 1_000_000} s "
            f"| {device.stopped_medium_us // _HOUR_US} h, {device.stopped_high_us // _HOUR_US} h |"
        )
    return "\n".join([*lines, ""])


def _priority(alarm: Alarm) -> str:
    if alarm.urgent is None:
        return alarm.priority.name
    return f"{alarm.priority.name}; {alarm.urgent.priority.name} {alarm.urgent.condition}"
