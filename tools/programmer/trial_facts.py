"""What is known of trials, each number with where it was read. Shown, and never applied to a dose.

Success is the one number that decides something: the words of a verdict.
"""

from fractions import Fraction
from typing import Final, NamedTuple


class Fact(NamedTuple):
    """One number and its source."""

    value: Fraction
    title: str
    address: str


SUCCESS_RELIEF: Final = Fact(
    Fraction(1, 2),
    "chapter on patient selection for intrathecal opioids: half the baseline pain, without "
    "intolerable side effects",
    "https://www.guwsmedical.info/stereotactic-radiosurgery/patient-selection-eoa.html",
)
"""Least part of the baseline pain that must be gone; reaching it is enough. Verified."""
ORAL_TO_INTRATHECAL: Final = Fact(
    Fraction(300),
    "Krames's ratio, as quoted by a report of a case of 12:1",
    "https://doi.org/10.1177/104990910402100214",
)
"""Oral morphine that one part of intrathecal morphine stands for. Verified that it is quoted."""
ORAL_CASES: Final = Fact(
    Fraction(10),
    "eight cases, 10:1 to 125:1",
    "https://www.jstage.jst.go.jp/article/jjspc/30/8/30_23-0003/_article/-char/en",
)
"""The lowest ratio of those cases: how far the quoted one may be from a patient. Verified."""
