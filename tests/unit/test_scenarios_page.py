"""The scenario page: each example can be read and does what the text says; no name is left out."""

import re
from fractions import Fraction
from pathlib import Path

import pytest

from emulator.faults import FAULTS
from tools.docs import scenarios_page as page
from tools.docs.scenario_tables import REQUIRED, SAID
from tools.pump_measures import Kind
from tools.scenario import actions, model, runner
from tools.scenario.measures import FAMILIES, MEASURES
from tools.scenario.result import Result
from tools.toml_file import FileError, parse

_ROOT = Path(__file__).parents[2]
_PAGE = page.render()
_README = (_ROOT / "README.md").read_text(encoding="utf-8")
_TEXTS = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
_TEXTS += sorted(f"docs/{path.name}" for path in (_ROOT / "docs").glob("*.md"))


def examples(text: str) -> list[str]:
    return re.findall(r"```toml\n(.*?)```", text, re.DOTALL)


def read(example: str) -> model.Scenario:
    """Read an example; one that is no whole file goes at the end of the first."""
    whole = re.search("^profile", example, re.MULTILINE)
    return model.read(parse("example.toml", example if whole else f"{page.FIRST}\n{example}"))


def failed(result: Result) -> list[str]:
    return [one.expectation.measure.name for one in result.outcomes if one.problems]


# --- examples -----------------------------------------------------------------------------------


@pytest.mark.parametrize("example", examples(_PAGE))
def test_an_example_of_the_page_can_be_read(example: str) -> None:
    read(example)


@pytest.mark.parametrize("example", examples(_README))
def test_an_example_of_the_readme_can_be_read(example: str) -> None:
    longer = page.FIRST.replace('duration = "1d"', 'duration = "30d"')
    model.read(parse("README.md", f"{longer}\n{example}"))


def test_the_page_has_the_examples_that_are_tried_here() -> None:
    assert examples(_PAGE) == [
        page.FIRST, page.BIASED, page.MAGNET, page.PARTIAL, page.SCHEDULE, page.CHANGE,
    ]  # fmt: skip
    assert examples(_README)


def test_the_first_example_holds() -> None:
    assert page.first_run().passed


def test_the_biased_pump_delivers_what_the_text_says() -> None:
    result = runner.run(read(page.BIASED))
    assert failed(result) == ["truth.delivered_ul"]
    assert result.final["truth.delivered_ul"] == 176
    assert result.final["pump.computed_ul"] == 39840


def test_the_field_stalls_the_pump_as_expected() -> None:
    result = runner.run(read(page.MAGNET))
    assert "event.first.STALL" not in failed(result)
    assert result.final["programmer.refusals"] == ()


def test_the_partial_therapy_keeps_the_rest() -> None:
    result = runner.run(read(page.PARTIAL))
    assert result.final["pump.dose_per_day_ug.baclofen"] == 240
    assert result.final["programmer.refusals"] == ()


def test_the_schedule_is_granted_and_changes_over() -> None:
    result = runner.run(read(page.SCHEDULE))
    assert result.final["programmer.refusals"] == ()
    assert result.final["pump.program"] == "simple_continuous"


def test_the_change_of_concentration_is_whole() -> None:
    result = runner.run(read(page.CHANGE))
    assert result.final["programmer.refusals"] == ()
    assert result.final["programmer.warnings"] == ("CONCENTRATION_CHANGED",)
    assert result.final["programmer.bridge_s"] == Fraction("183916.8")


# --- lists --------------------------------------------------------------------------------------


def test_every_name_is_on_the_page() -> None:
    for fault in FAULTS:
        assert f"| `{fault}` |" in _PAGE
    for action in actions.ACTIONS:
        assert f"| `{action}` |" in _PAGE
    for measure in MEASURES:
        assert f"| `{measure}` |" in _PAGE
    for prefix, family in FAMILIES.items():
        assert f"| `{prefix}<{family.last}>` |" in _PAGE


def test_only_dates_and_error_codes_are_texts_without_their_words() -> None:
    texts = {name for name, measure in MEASURES.items() if measure.kind is Kind.TEXT}
    dates = {name for name in texts if f"| `{name}` | date and time |" in _PAGE}
    assert texts - dates - set(SAID) == {"pump.last_refusal"}


@pytest.mark.parametrize("key", sorted(REQUIRED))
def test_a_key_that_must_be_there_must_be_there(key: str) -> None:
    without = re.sub(f"^{key}.*\n", "", page.FIRST, flags=re.MULTILINE)
    with pytest.raises(FileError, match=f'key "{key}" is missing'):
        model.read(parse("example.toml", without))


# --- links --------------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    found = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    return found | set(re.findall(r'<a id="(\w+)">', text))


@pytest.mark.parametrize("name", _TEXTS)
def test_every_link_of_a_text_has_a_target(name: str) -> None:
    path = _ROOT / name
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link
