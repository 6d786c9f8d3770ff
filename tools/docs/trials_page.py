"""docs/trials.md: how a drug is tried by a plan, and what the plan holds."""

from tools.docs.markdown import code, paragraphs, table
from tools.programmer.trial_facts import (
    ORAL_CASES,
    ORAL_TO_INTRATHECAL,
    SUCCESS_RELIEF,
    Fact,
)
from tools.programmer.trial_plan import DOSES_MAX, KEYS, OF_THE_PLAN, SCORE_MAX, STOP_KEYS

_HEAD = """
# Trials

Generated from `tools/programmer` by `itpump docs`. Do not edit.

Before a pump is implanted its drug is tried, with a pump that is worn (`trial-external`) or with
any other. A plan says the doses; the programmer gives them one by one, keeps the pain scores, and
says at the end what they say. Nothing here is medical advice.
"""
_EXAMPLE = """
itpump run --profile trial-external --link /tmp/pump
itpump programmer --port /tmp/pump trial score 8          # the baseline: pain before the start
itpump programmer --port /tmp/pump trial start examples/trial/morphine.toml
itpump programmer --port /tmp/pump trial score 6 --note "slept well"
itpump programmer --port /tmp/pump trial step             # refused before its time
itpump programmer --port /tmp/pump trial status           # where it stands, when the next is due
itpump programmer --port /tmp/pump trial report --html trial.html
itpump programmer --port /tmp/pump trial end --stop --prescription implant.toml
"""
_DOSES = """
Every dose is judged by the drug limits when the plan is read, and shown, confirmed, committed and
read back as by `program`; `--override` goes beyond soft limits as there, at the start for the
whole plan and again at each step concerned. `end` stops the pump (`--stop`), leaves it at its
minimum rate (`--minimum-rate`, refused where that is more than is prescribed) or as it is
(`--keep`). Before a start it takes the baseline back. `score --side-effect TEXT` marks the dose
as not tolerated.
"""
_VERDICT = """
relief = (baseline - mean) / baseline, exact, with the mean of all scores recorded while the pump
delivered the dose. The best dose is the tolerated one with the most relief, the lower of two
alike. Reaching the bound is a success. Then `--prescription` writes a `[therapy]` file with that
dose and with `FILL IN` for what the trial cannot know of the implant; `program` refuses it until
a person has filled in every one.
"""
_RECORD = """
Scores and doses are kept beside the transaction journal, a file for each pump. What the pump is
to be asked for is written down first, and as given only when the pump's own log has it; a tool
that dies in between finds out at the next command and says so. A dose that was programmed outside
of the trial is said too, and no step is taken on it. Intervals do not move when the pump's clock
is set.
"""


def render() -> str:
    """Return the page."""
    return (
        paragraphs(
            _HEAD,
            code(_EXAMPLE.strip(), "sh"),
            "## The plan",
            "Two tables in one file; `examples/trial/` has one. A plan has at most "
            f"{DOSES_MAX} doses.",
            "### `[trial]`",
            _keys(KEYS),
            "### `[trial.stop]`",
            _keys(STOP_KEYS),
            "### `[therapy]`",
            "As in a scenario ([scenarios.md](scenarios.md)), whole, without what says how much: "
            + ", ".join(f"`{key}`" for key in OF_THE_PLAN)
            + ".",
            "## Doses",
            _DOSES,
            "## The verdict",
            f"A score is a whole number, 0 (no pain) to {SCORE_MAX} (the worst).",
            _VERDICT,
            table(("number", "value", "read in"), _facts()),
            "## The record",
            _RECORD,
        )
        + "\n"
    )  # fmt: skip


def _keys(keys: dict[str, str]) -> str:
    return table(("key", "what"), [(f"`{key}`", doc) for key, doc in keys.items()])


def _facts() -> list[tuple[str, str, str]]:
    success, oral, cases = SUCCESS_RELIEF, ORAL_TO_INTRATHECAL, ORAL_CASES
    return [
        ("least relief of a success", f"{success.value * 100} %", _source(success)),
        ("oral to intrathecal morphine, shown and never applied", f"{oral.value}:1", _source(oral)),
        ("the same, lowest in patients", f"{cases.value}:1", _source(cases)),
    ]


def _source(fact: Fact) -> str:
    return f"{fact.title} - <{fact.address}>"
