"""The other reading of the Open PCA traces: at low drug the basal falls to keep-open.

The requirements contradict themselves there; the profile of this reading differs by that datum.
"""

from dataclasses import fields
from pathlib import Path

import pytest
from nurse import MINUTE_US
from open_pca import ML, START, STROKE_NL, Bed, refused

from emulator.profile import FOLDER, Profile
from firmware.device import DeviceConfig
from hal.interfaces import ResetCause
from protocol.codes import Code, Mode, StopReason
from protocol.errors import ErrorCode

HALF_ML = ML // 2
"""Their empty limit. Our volumes count above what cannot be given: low is then 0.5 mL."""


@pytest.fixture
def keep_open(tmp_path: Path) -> str:
    """The same pump, but for that datum."""
    text = (FOLDER / "open-pca.toml").read_text(encoding="utf-8")
    path = tmp_path / "open-pca.toml"
    path.write_text(text.replace('basal = "program"', 'basal = "minimum_rate"'), encoding="utf-8")
    usual, other = Profile.load("open-pca").device, Profile.load(path).device
    names = [field.name for field in fields(DeviceConfig)]
    differing = [name for name in names if getattr(usual, name) != getattr(other, name)]
    assert differing == ["low_reservoir_basal"]
    return str(path)


def fallen(bed: Bed, minute: float, given_nl: int) -> None:
    """Keep-open, 1 mL/h, since that minute, at which so much had been given."""
    assert bed.events(Code.LOW_RESERVOIR) == [(Code.LOW_RESERVOIR, minute, 0)]
    status = bed.nurse.status
    assert status.mode is Mode.MINIMUM_RATE
    assert (status.rate_numerator_pl, status.rate_denominator_h) == (ML * 1000, 1)
    now = START + bed.nurse.world.now_us / MINUTE_US
    assert abs(bed.given_nl() - given_nl - (now - minute) * ML / 60) <= 2 * STROKE_NL


@pytest.mark.requirement("R-064")
@pytest.mark.requirement("R-065")
@pytest.mark.requirement("R-066")
def test_ec21_low_falls_to_keep_open_at_120_and_empty_stops_at_150(keep_open: str) -> None:
    bed = Bed(7 * ML - HALF_ML, keep_open, HALF_ML)
    bed.until(149)
    fallen(bed, 120.0, 6 * ML)
    bed.until(300)
    assert bed.events(Code.EMPTY_RESERVOIR, Code.STOPPED) == [
        (Code.EMPTY_RESERVOIR, 150.0, 0),
        (Code.STOPPED, 150.0, StopReason.EMPTY_RESERVOIR),
    ]
    assert bed.given_nl() == 7 * ML - HALF_ML


@pytest.mark.requirement("R-064")
def test_ec20a_keep_open_from_120_until_the_refill(keep_open: str) -> None:
    bed = Bed(7 * ML - HALF_ML, keep_open, HALF_ML)
    bed.until(129)
    fallen(bed, 120.0, 6 * ML)
    bed.nurse.hello()
    bed.nurse.refill(100 * ML)
    before_nl = bed.given_nl()
    bed.until(189)
    assert bed.nurse.status.mode is Mode.BASAL
    assert abs(bed.given_nl() - before_nl - 6 * ML) <= 2 * STROKE_NL


@pytest.mark.requirement("R-068")
@pytest.mark.requirement("R-069")
def test_ec20b_keep_open_and_no_bolus_that_the_reserve_cannot_give(keep_open: str) -> None:
    bed = Bed(7_500_000 - HALF_ML, keep_open, HALF_ML)
    assert refused(bed.request(119.5)) is ErrorCode.LIMIT_HARD
    bed.until(145)
    assert bed.boluses == []
    fallen(bed, 125.0, 6_500_000)


@pytest.mark.requirement("R-068")
@pytest.mark.requirement("R-051")
def test_ec20c_the_square_is_cut_at_120_and_keep_open_follows(keep_open: str) -> None:
    bed = Bed(7_500_000 - HALF_ML, keep_open, HALF_ML)
    bed.square(105)
    bed.until(140)
    assert bed.boluses[1][:2] == (Code.BOLUS_ENDED_EARLY, 120.0)
    assert abs(bed.boluses[1][2] - HALF_ML) <= STROKE_NL
    fallen(bed, 120.0, 6_500_000)
    bed.nurse.hello()
    bed.nurse.board.reset(ResetCause.WATCHDOG)
    bed.until(141)
    assert bed.nurse.status.mode is Mode.MINIMUM_RATE
