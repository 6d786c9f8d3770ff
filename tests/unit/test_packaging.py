"""The packages as they are installed and read: no import name taken twice, every module listed."""

import importlib
import re
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

NAMES = ("firmware", "hal", "protocol", "emulator", "tools")
INDEXED = ("firmware", "tools.programmer")


def test_no_other_distribution_provides_one_of_our_import_names() -> None:
    """The names are generic: in a shared environment another package could shadow them."""
    providers = packages_distributions()
    found = {name: sorted(set(providers.get(name, []))) for name in NAMES}
    assert {name: others for name, others in found.items() if others not in ([], ["itpump"])} == {}


@pytest.mark.parametrize("name", INDEXED)
def test_the_index_of_a_package_lists_each_of_its_modules_once(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__doc__ is not None
    assert package.__file__ is not None
    rows = re.findall(r"^    (\w+(?:, \w+)*)", package.__doc__, re.MULTILINE)
    listed = sorted(word for row in rows for word in row.split(", "))
    modules = sorted(
        path.stem for path in Path(package.__file__).parent.glob("*.py") if path.stem != "__init__"
    )
    assert listed == modules
