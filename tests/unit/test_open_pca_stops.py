"""The published traces of a stop and a start two hours later: uc7a, uc7b and uc7c."""

import pytest
from test_open_pca import ML, STROKE_NL, Bed

from protocol.codes import Code, Mode


@pytest.mark.requirement("R-078")
@pytest.mark.parametrize(("trace", "of_bolus_nl"), [("a", 0), ("b", ML // 2), ("c", ML // 15)])
def test_uc7_after_a_stop_the_start_gives_basal_alone(trace: str, of_bolus_nl: int) -> None:
    bed = Bed()
    if trace == "b":
        bed.request(119.5)
    elif trace == "c":
        bed.square(118)
    bed.until(120)
    bed.nurse.hello()
    bed.nurse.stop()
    bed.until(240)
    assert abs(bed.given_nl() - 6 * ML - of_bolus_nl) <= 2 * STROKE_NL
    assert bed.nurse.status.mode is Mode.STOPPED
    bed.nurse.hello()
    bed.nurse.resume()
    before_nl = bed.given_nl()
    bed.until(360)
    assert abs(bed.given_nl() - before_nl - 12 * ML) <= STROKE_NL
    ended = [(code, minute) for code, minute, _ in bed.boluses[1:]]
    assert ended == ([] if trace == "a" else [(Code.BOLUS_ENDED_EARLY, 120.0)])
    assert bed.events(Code.RESUMED) == [(Code.RESUMED, 240.0, 0)]
