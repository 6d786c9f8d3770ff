"""The [therapy] table: whole or partial, exact, and refused where it cannot be meant."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from protocol.codes import BolusBasal, EmergencyAction, ProgramKind, RateBasis, RatePer
from protocol.messages import FILL_NOT_TOLD, DeviceInfo, Drug, ProgramParameters, Rate, Therapy
from tools import therapy_file
from tools.programmer.doses import flow_pl_h
from tools.toml_file import FileError, parse

WHOLE = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "40 mL"
low_reservoir_alarm = "3 mL"
stability = "180d"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }
bolus_basal = "pause"
emergency = "minimum_rate"
patient_may_stop = true
limits = { }
"""
THERAPY = Therapy(
    drugs=(Drug("baclofen", 2 * 10**9),),
    program=ProgramKind.SIMPLE_CONTINUOUS,
    rate=Rate(RateBasis.MASS_PG, RatePer.DAY, 300 * 10**6),
    low_reservoir_nl=3_000_000,
    stability_days=180,
    catheter_um=815_000,
    catheter_pl_cm=2_200_000,
    bolus_basal=BolusBasal.PAUSE,
    emergency=EmergencyAction.MINIMUM_RATE,
    patient_may_stop=1,
)
DEVICE = DeviceInfo(
    model="rotor-40",
    serial="E1",
    firmware="0",
    stroke_pl=250_000,
    capacity_nl=40_000_000,
    flow_min_pl_h=2_000_000,
    flow_max_pl_h=1_000_000_000,
    minimum_rate_pl_h=250_000,
    bolus_max_nl=2_000_000,
    tubing_nl=140_000,
    accuracy_ppm=145_000,
    implanted_wall_s=1,
    service_days=2556,
)
NO_RATE = Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 0)
DRUGS = 'drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]'


def asked(
    lines: str, current: Therapy | None = None, device: DeviceInfo | None = None
) -> ProgramParameters:
    table = parse("t.toml", lines).table("therapy")
    assert table is not None
    return therapy_file.read(table).parameters(current, device)


def error_of(lines: str, current: Therapy | None = None, device: DeviceInfo | None = None) -> str:
    with pytest.raises(FileError) as caught:
        asked(lines, current, device)
    return str(caught.value)


def test_a_low_reservoir_volume_that_is_left_out_is_the_models_or_what_was_programmed() -> None:
    lines = f'[therapy]\n{DRUGS}\nmode = "minimum_rate"\n'
    sensed = replace(DEVICE, low_reservoir_nl=3_000_000)
    assert asked(lines).therapy.low_reservoir_nl == 2_000_000
    assert asked(lines, device=sensed).therapy.low_reservoir_nl == 3_000_000
    current = replace(THERAPY, low_reservoir_nl=4_000_000)
    assert asked(lines, current, sensed).therapy.low_reservoir_nl == 4_000_000


def test_a_whole_table_becomes_the_prescription() -> None:
    assert asked(WHOLE) == ProgramParameters(THERAPY, 40_000_000)


def test_what_is_left_out_without_a_therapy_has_the_defaults_of_the_format() -> None:
    parameters = asked(f'[therapy]\n{DRUGS}\nmode = "simple_continuous"\nrate = "0.15 mL/day"')
    assert parameters.fill_nl == FILL_NOT_TOLD
    assert parameters.therapy == Therapy(
        drugs=THERAPY.drugs,
        program=ProgramKind.SIMPLE_CONTINUOUS,
        rate=Rate(RateBasis.VOLUME_PL, RatePer.DAY, 150_000_000),
        low_reservoir_nl=2_000_000,
        stability_days=0,
        catheter_um=0,
        catheter_pl_cm=0,
        bolus_basal=BolusBasal.CONTINUE,
        emergency=EmergencyAction.STOP,
        patient_may_stop=0,
    )


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ("", {}),
        (
            'dose_per_day = "1 mg"',
            {"rate": Rate(RateBasis.MASS_PG, RatePer.DAY, 10**9)},
        ),
        (
            'rate = "6.25 uL/h"',
            {"rate": Rate(RateBasis.VOLUME_PL, RatePer.HOUR, 6_250_000)},
        ),
        ('mode = "stopped"', {"program": ProgramKind.STOPPED, "rate": NO_RATE}),
        ('mode = "minimum_rate"', {"program": ProgramKind.MINIMUM_RATE, "rate": NO_RATE}),
        ("patient_may_stop = false", {"patient_may_stop": 0}),
        ('low_reservoir_alarm = "1 mL"', {"low_reservoir_nl": 1_000_000}),
        (
            'drugs = [{ name = "morphine", concentration = "10 mg/mL" }]',
            {"drugs": (Drug("morphine", 10**10),)},
        ),
    ],
)
def test_a_partial_table_changes_only_what_it_names(line: str, changes: dict[str, object]) -> None:
    parameters = asked(f"[therapy]\n{line}", THERAPY)
    assert parameters.therapy == replace(THERAPY, **changes)  # type: ignore[arg-type]
    assert parameters.fill_nl == FILL_NOT_TOLD


@pytest.mark.requirement("R-018")
def test_worked_case_1_a_dose_over_a_concentration_is_the_flow_exactly() -> None:
    assert flow_pl_h(THERAPY, THERAPY.rate) == 6_250_000
    third = replace(THERAPY, rate=Rate(RateBasis.MASS_PG, RatePer.DAY, 400 * 10**6))
    assert flow_pl_h(third, third.rate) == Fraction(25_000_000, 3)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", 't.toml:1: key "drugs" is missing; only a pump that has a therapy can keep it'),
        (DRUGS, 't.toml:1: key "mode" is missing; only a pump that has a therapy can keep it'),
        ("drugs = []", "t.toml:2: drugs: 0 of them; a reservoir holds 1 to 5"),
        (
            'drugs = ["baclofen"]',
            't.toml:2: drugs: a table is needed, not "baclofen"',
        ),
        (
            'drugs = [\n{ name = "Baclofen", concentration = "1 mg/mL" }]',
            't.toml:3: name: "Baclofen": drug names are lower case: "baclofen"',
        ),
        (
            'drugs = [{ name = "a", concentration = "1 mg/mL" },\n'
            '{ name = "a", concentration = "2 mg/mL" }]',
            't.toml:3: name: "a" is listed twice',
        ),
        (
            'drugs = [{ name = "bac\\nlofen", concentration = "1 mg/mL" }]',
            "t.toml:2: name: 'bac\\nlofen': a drug name is of printable characters",
        ),
        ('drugs = [{ name = "a" }]', 't.toml:2: key "concentration" is missing'),
        (
            'drugs = [{ name = "a", strength = "1 mg/mL" }]',
            't.toml:2: unknown key "strength"; known are name, concentration',
        ),
        (f'{DRUGS}\nmode = "simple"', 't.toml:3: mode: "simple": not one of stopped, minimum_rate, '
            "simple_continuous, flex, periodic"),
        (
            f'{DRUGS}\nmode = "simple_continuous"',
            't.toml:3: mode "simple_continuous" needs dose_per_day or rate',
        ),
        (
            f'{DRUGS}\nmode = "stopped"\ndose_per_day = "300 ug"',
            't.toml:4: dose_per_day: mode "stopped" has no rate; leave it out',
        ),
        (
            'dose_per_day = "300 ug"\nrate = "0.15 mL/day"',
            "t.toml:3: rate: dose_per_day is given too; give one of them",
        ),
        (
            'dose_per_day = "0.15 mL"',
            't.toml:2: dose_per_day: "0.15 mL": mL is a volume; a mass is needed here, '
            'e.g. "300 ug"',
        ),
        (
            'rate = "300 ml/min"',
            't.toml:2: rate: "300 ml/min": a rate is per h or per day, e.g. "0.15 mL/day"',
        ),
        (
            'drugs = [{ name = "saline", concentration = "0 ug/mL" }]\n'
            'mode = "simple_continuous"\ndose_per_day = "1 ug"',
            "t.toml:4: dose_per_day: a mass needs a concentration of saline above 0",
        ),
        ('stability = "36 h"', 't.toml:2: stability: "36 h": whole days are needed, e.g. "180d"'),
        ('catheter = { length = "81.5 cm" }', 't.toml:2: key "volume" is missing'),
        ("reservoir_fill = 40", 't.toml:2: reservoir_fill: 40: a volume needs a unit, '
            'e.g. "40 mL"'),
        (
            'resevoir_fill = "40 mL"',
            't.toml:2: unknown key "resevoir_fill"; did you mean "reservoir_fill"?',
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_line(lines: str, message: str) -> None:
    assert error_of(f"[therapy]\n{lines}") == message


def test_what_this_version_does_not_deliver_is_never_left_out_silently() -> None:
    assert error_of("[therapy]\nlimits = { baclofen = 1 }") == (
        "t.toml:2: limits: this version of itpump does not deliver it yet"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'rate = "0.04 mL/day"',
            "t.toml:2: rate: 0.04 mL/day: rotor-40 gives 0.048 mL/day to 24 mL/day",
        ),
        (
            'dose_per_day = "0 ug"',
            "t.toml:2: dose_per_day: 0 mL/day: rotor-40 gives 0.048 mL/day to 24 mL/day",
        ),
        (
            'dose_per_day = "60 mg"',
            "t.toml:2: dose_per_day: 30 mL/day: rotor-40 gives 0.048 mL/day to 24 mL/day",
        ),
        (
            'reservoir_fill = "41 mL"',
            "t.toml:2: reservoir_fill: 41 mL: rotor-40 holds 40 mL",
        ),
        (
            'low_reservoir_alarm = "50 mL"',
            "t.toml:2: low_reservoir_alarm: 50 mL: rotor-40 holds 40 mL",
        ),
    ],
)
def test_the_hard_limits_of_the_pump_are_told_in_the_words_of_the_file(
    line: str, message: str
) -> None:
    assert error_of(f"[therapy]\n{line}", THERAPY, DEVICE) == message
    asked(f"[therapy]\n{line}", THERAPY)  # without a device there is nothing to compare with


@pytest.mark.parametrize("rate", ["0.048 mL/day", "24 mL/day"])
def test_the_limits_themselves_are_allowed(rate: str) -> None:
    asked(f'[therapy]\nrate = "{rate}"\nreservoir_fill = "40 mL"', THERAPY, DEVICE)


def test_the_table_is_found_alone_and_inside_a_scenario(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(WHOLE)
    assert therapy_file.load(str(path)).therapy == THERAPY
    path.write_text(f'profile = "rotor-40"\nduration = "1d"\n{WHOLE}\n[[step]]\nat = "1h"\n')
    assert therapy_file.load(str(path)).therapy == THERAPY
    path.write_text('profile = "rotor-40"\n')
    with pytest.raises(FileError, match=r"x\.toml:1: no \[therapy\] table"):
        therapy_file.load(str(path))
    path.write_text(WHOLE.removeprefix("[therapy]\n"))
    with pytest.raises(FileError, match=r'x\.toml:1: unknown key "drugs"'):
        therapy_file.load(str(path))
