"""The scenario file: read whole, or refused with the file, the line and what would be right."""

from pathlib import Path

import pytest

from emulator.profile import names
from hal.interfaces import ResetCause
from protocol.codes import BolusKind, Code, RateBasis
from protocol.messages import BolusParameters, Drug
from tools.scenario import actions, model, steps
from tools.scenario.model import Scenario
from tools.toml_file import FileError, parse

HEAD = 'profile = "rotor-40"\nstart = 2027-01-04T09:00:00\nduration = "30d"\n'
THERAPY = """\
[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"
reservoir_fill = "38 mL"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }
"""
DAY_US = 86_400_000_000


def read(text: str) -> Scenario:
    return model.read(parse("s.toml", text))


def error_of(text: str) -> str:
    with pytest.raises(FileError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def step(lines: str) -> steps.Step:
    return read(f'{HEAD}[[step]]\nat = "2d 6h"\n{lines}').steps[0]


def test_the_least_file_is_a_full_pump_without_a_therapy() -> None:
    scenario = read('profile = "rotor-20"\nduration = "1d"')
    assert scenario.seed == 1
    assert scenario.programs == ()
    assert scenario.plant.fill_pl == 20 * 10**9
    assert scenario.plant.drugs == ()
    assert scenario.plant.battery_percent == 100
    assert scenario.implanted_wall_s == scenario.start_wall_s


def test_the_plant_follows_the_therapy_unless_it_says_otherwise() -> None:
    scenario = read(HEAD + THERAPY)
    assert scenario.plant.fill_pl == 38 * 10**9
    assert [(drug.name, drug.concentration_pg_ml) for drug in scenario.plant.drugs] == [
        ("baclofen", 2 * 10**9)
    ]
    assert scenario.plant.catheter_pl == 179_300_000
    assert scenario.plant.tubing_pl == 140_000_000
    wrong = read(
        f"{HEAD}[plant]\n"
        'fill = "10 mL"\ndrugs = [{ name = "morphine", concentration = "1 mg/mL" }]\n'
        'path = "saline"\nflow_bias_percent = -14.5\nbattery_percent = 40\n'
        f"implanted = 2020-06-13T00:00:00\n{THERAPY}"
    )
    assert wrong.plant.fill_pl == 10 * 10**9
    assert wrong.plant.drugs[0].name == "morphine"
    assert (wrong.plant.path, wrong.plant.flow_bias_ppm) == ("saline", -145_000)
    assert wrong.plant.battery_percent == 40
    assert wrong.start_wall_s - wrong.implanted_wall_s == 2396 * 86_400 + 9 * 3600
    assert wrong.drugs == ("morphine", "baclofen")


def test_plant_keys_of_a_later_version_may_say_what_is_so_anyway() -> None:
    read(HEAD + "[plant]\nnoise_percent = 0\ntemperature_c = 37\npressure_kpa = 101.325")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('do = "stop"', steps.Stop),
        ('do = "resume"', steps.Resume),
        ('do = "interrogate"', steps.Interrogate),
    ],
)
def test_an_action_without_keys(lines: str, expected: type[steps.Step]) -> None:
    found = step(lines)
    assert type(found) is expected
    assert found.at_us == 54 * 3600 * 10**6


def test_every_key_of_an_action_is_read() -> None:
    bolus = step('do = "bolus"\nkind = "single"\ndose = "20 ug"\nover = "5 min"\nagain = true')
    assert isinstance(bolus, steps.Bolus)
    assert bolus.parameters == BolusParameters(
        BolusKind.SINGLE, RateBasis.MASS_PG, 20_000_000, 300_000_000, 1, 0
    )
    volume = step('do = "bolus"\nkind = "loading"\nvolume = "10 uL"\noverride = true')
    assert isinstance(volume, steps.Bolus)
    assert volume.parameters == BolusParameters(
        BolusKind.LOADING, RateBasis.VOLUME_PL, 10_000_000, 0, 0, 1
    )
    refill = step('do = "refill"\ninjected = "40 mL"')
    assert isinstance(refill, steps.Refill)
    assert (refill.injected_nl, refill.entered_nl) == (40_000_000, 40_000_000)
    assert (refill.residual_nl, refill.drugs) == (None, ())
    reset = step('do = "reset"\ncause = "watchdog"')
    assert isinstance(reset, steps.Reset)
    assert reset.cause is ResetCause.WATCHDOG
    cut = step('do = "power_cut"\nfor = "1 h"')
    assert isinstance(cut, steps.PowerCut)
    assert cut.duration_us == 3600 * 10**6
    clear_alarm = step('do = "clear_alarm"\ncode = "MOTOR_STALL"')
    assert isinstance(clear_alarm, steps.ClearAlarm)
    assert clear_alarm.code is Code.MOTOR_STALL


@pytest.mark.parametrize(
    ("lines", "kind", "per_day"),
    [
        ('kind = "prime"', BolusKind.PRIME, 0),
        ('kind = "prime_catheter"', BolusKind.PRIME_CATHETER, 0),
        ('kind = "bridge"', BolusKind.BRIDGE, 0),
        ('kind = "bridge"\ndose = "300 ug"', BolusKind.BRIDGE, 300 * 10**6),
        ('kind = "bridge"\ndose = "300 ug/day"', BolusKind.BRIDGE, 300 * 10**6),
        ('kind = "bridge"\ndose = "10 ug/h"', BolusKind.BRIDGE, 240 * 10**6),
    ],
)
def test_primes_and_bridges(lines: str, kind: BolusKind, per_day: int) -> None:
    bolus = step(f'do = "bolus"\n{lines}')
    assert isinstance(bolus, steps.Bolus)
    assert (bolus.parameters.kind, bolus.parameters.amount) == (kind, per_day)


@pytest.mark.parametrize(
    ("lines", "residual_nl", "entered_nl"),
    [
        ('actual_residual = "3 mL"', 3_000_000, 40_000_000),
        ('actual_residual = "3 mL"\nentered_residual = "30 mL"', 30_000_000, 40_000_000),
        ('entered = "20 mL"', None, 20_000_000),
        ('entered = "none"', None, None),
    ],
)
def test_what_is_typed_at_a_refill_may_differ(
    lines: str, residual_nl: int | None, entered_nl: int | None
) -> None:
    drugs = 'drugs = [{ name = "saline", concentration = "0 ug/mL" }]'
    refill = step(f'do = "refill"\ninjected = "40 mL"\n{drugs}\n{lines}')
    assert isinstance(refill, steps.Refill)
    assert refill.injected_nl == 40_000_000
    assert (refill.residual_nl, refill.entered_nl) == (residual_nl, entered_nl)
    assert refill.drugs == (Drug("saline", 0),)


def test_a_clock_is_set_to_a_time_or_by_a_shift() -> None:
    to = step('do = "set_clock"\nto = 2027-01-06T15:00:00')
    assert isinstance(to, steps.SetClock)
    assert to.to_s == read(HEAD).start_wall_s + 54 * 3600
    by = step('do = "set_clock"\nby = "-1h"')
    assert isinstance(by, steps.SetClock)
    assert (by.to_s, by.by_s) == (None, -3600)


def test_a_scheduled_change_at_the_start_is_programmed_after_the_therapy() -> None:
    change = "scheduled_change = { at = 2027-01-05T08:00:00, therapy = { rate = '0.2 mL/day' } }\n"
    now, later = read(HEAD + THERAPY + change).programs
    assert (now.at_wall_s, later.at_wall_s) == (0, read(HEAD).start_wall_s + 23 * 3600)
    assert later.therapy.rate.amount == 200 * 10**6


def test_an_instant_may_be_a_wall_clock_time_and_steps_are_put_in_order() -> None:
    scenario = read(
        f'{HEAD}[[step]]\nat = "2d"\ndo = "resume"\n'
        '[[step]]\nat = 2027-01-05T09:00:00\ndo = "stop"\n'
        '[[step]]\nat = "1d"\ndo = "interrogate"\n'
        '[[expect]]\nthat = "pump.mode"\nis = "basal"\n'
        '[[expect]]\nat = "1d"\nthat = "pump.mode"\nis = "stopped"'
    )
    assert [type(one) for one in scenario.steps] == [
        steps.Stop, steps.Interrogate, steps.Resume,
    ]  # fmt: skip
    assert [one.at_us for one in scenario.expectations] == [30 * DAY_US, DAY_US]
    assert [one.at for one in scenario.expectations] == ["end", "1d"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('duration = "1d"', 's.toml:1: key "profile" is missing'),
        ('profile = "rotor-40"', 's.toml:1: key "duration" is missing'),
        (f'{HEAD}seeed = 3', 's.toml:4: unknown key "seeed"; did you mean "seed"?'),
        (f"{HEAD}seed = -1", "s.toml:4: seed: -1: must be 0 to 999999999999999999"),
        (
            'profile = "rotor-50"\nduration = "1d"',
            f"s.toml:1: profile: no profile rotor-50; there are {', '.join(names())}, "
            "or a .toml file",
        ),
        (
            'profile = "rotor-40"\nduration = 30',
            's.toml:2: duration: 30: a time needs a unit, e.g. "2d 6h"',
        ),
        (
            'profile = "rotor-40"\nduration = "0 s"',
            's.toml:2: duration: "0 s": must be longer than 0',
        ),
        (
            'profile = "rotor-40"\nduration = "1d"\nstart = 1999-01-01T00:00:00',
            "s.toml:3: start: 1999-01-01T00:00:00: the pump's clock runs from 2000 to 2136",
        ),
        (f'{HEAD}plant = "full"', 's.toml:4: plant: a table is needed, not "full"'),
        (
            f'{HEAD}[plant]\nfill = "300 ug"',
            's.toml:5: fill: "300 ug": ug is a mass; a volume is needed here, e.g. "40 mL"',
        ),
        (
            f'{HEAD}[plant]\nfill = "41 mL"',
            's.toml:5: fill: "41 mL": the reservoir holds 40 mL',
        ),
        (
            f'{HEAD}[plant]\npath = "water"',
            's.toml:5: path: "water": not one of primed, saline, empty',
        ),
        (
            f"{HEAD}[plant]\nbattery_percent = 101",
            "s.toml:5: battery_percent: 101: must be 0 to 100",
        ),
        (
            f"{HEAD}[plant]\nflow_bias_percent = -100",
            "s.toml:5: flow_bias_percent: -100: must be above -100 and at most 1000",
        ),
        (
            f'{HEAD}[plant]\nflow_bias_percent = "0.00001"',
            's.toml:5: flow_bias_percent: "0.00001": finer than 0.0001 %',
        ),
        (
            f"{HEAD}[plant]\nimplanted = 2028-01-01T00:00:00",
            "s.toml:5: implanted: later than start",
        ),
        (
            f"{HEAD}[plant]\ntemperature_c = 40",
            "s.toml:5: temperature_c: this version of itpump does not deliver it yet",
        ),
        (f"{HEAD}[plant]\nfil = 1", 's.toml:5: unknown key "fil"; did you mean "fill"?'),
        (
            f"{HEAD}[therapy]\nlimits = {{ baclofen = 1 }}",
            "s.toml:5: limits: this version of itpump does not deliver it yet",
        ),
        (f'{HEAD}[step]\nat = "1d"', "s.toml:4: step: a list of tables is needed, not a table: "
            "[[step]]"),
    ],
)  # fmt: skip
def test_a_bad_head_is_one_line(text: str, message: str) -> None:
    assert error_of(text) == message


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ('at = "1d"', 's.toml:4: key "do" is missing'),
        ('do = "stop"', 's.toml:4: key "at" is missing'),
        ('at = "31d"\ndo = "stop"', 's.toml:5: at: "31d": past the duration of "30d"'),
        (
            'at = 2027-02-04T09:00:00\ndo = "stop"',
            's.toml:5: at: 2027-02-04T09:00:00: past the duration of "30d"',
        ),
        (
            'at = 2027-01-04T08:59:59\ndo = "stop"',
            "s.toml:5: at: 2027-01-04T08:59:59: before the start of the scenario",
        ),
        ('at = 1\ndo = "stop"', 's.toml:5: at: 1: a time needs a unit, e.g. "2d 6h"'),
        ('at = "1d"\ndo = "stopp"', 's.toml:6: do: "stopp": not one of program, bolus, '
            "patient_bolus, stop, resume, interrogate, refill, set_clock, disconnect, clear_alarm, "
            "reset, inject, clear, power_cut; "
            'did you mean "stop"?'),
        ('at = "1d"\ndo = "stop"\nfor = "1h"', 's.toml:7: unknown key "for"; known are at, do'),
        ('at = "1d"\ndo = "program"', 's.toml:4: key "therapy" is missing, '
            'e.g. therapy = { dose_per_day = "300 ug" }'),
        (
            'at = "1d"\ndo = "program"\ntherapy = { dose_per_day = "300 ug" }',
            's.toml:7: key "drugs" is missing; only a pump that has a therapy can keep it',
        ),
        ('at = "1d"\ndo = "bolus"', 's.toml:4: a bolus needs either dose or volume, '
            'e.g. dose = "20 ug"'),
        ('at = "1d"\ndo = "bolus"\ndose = "20 ug"\nvolume = "1 uL"', 's.toml:4: a bolus needs '
            'either dose or volume, e.g. dose = "20 ug"'),
        (
            'at = "1d"\ndo = "bolus"\ndose = "20 uL"',
            's.toml:7: dose: "20 uL": uL is a volume; a mass is needed here, e.g. "300 ug"',
        ),
        (
            'at = "1d"\ndo = "bolus"\nkind = "bridge"\nover = "1 h"',
            "s.toml:8: over: a bolus of kind bridge has none",
        ),
        (
            'at = "1d"\ndo = "bolus"\nkind = "prime"\ndose = "20 ug"',
            "s.toml:8: dose: a bolus of kind prime has none",
        ),
        (
            'at = "1d"\ndo = "bolus"\nkind = "bridge"\ndose = "0 ug"',
            's.toml:8: dose: "0 ug": a dose above 0 is needed',
        ),
        ('at = "1d"\ndo = "set_clock"', "s.toml:4: set_clock needs either to or by, "
            'e.g. by = "-1h"'),
        ('at = "1d"\ndo = "disconnect"\nafter = "PREPAR"', 's.toml:7: after: "PREPAR": not one '
            "of STATUS, DEVICE, PRESCRIPTION, LOG_READ, INTERROGATE, PENDING, PREPARE, COMMIT, "
            'QUERY, ABORT, STOP; did you mean "PREPARE"?'),
        ('at = "1d"\ndo = "refill"', 's.toml:4: key "injected" is missing'),
        (
            'at = "1d"\ndo = "refill"\ninjected = "40 mL"\nentered = "nothing"',
            's.toml:8: entered: "nothing": a volume is needed here, e.g. "40 mL"',
        ),
        ('at = "1d"\ndo = "power_cut"', 's.toml:4: key "for" is missing'),
        (
            'at = "1d"\ndo = "reset"\ncause = "lightning"',
            's.toml:7: cause: "lightning": not one of power_on, watchdog, low_voltage, commanded, '
            "link_lost, rate_guard",
        ),
    ],
)  # fmt: skip
def test_a_bad_step_is_one_line(lines: str, message: str) -> None:
    assert error_of(f"{HEAD}[[step]]\n{lines}") == message


@pytest.mark.parametrize("name", actions.LATER_ACTIONS)
def test_actions_to_come_are_refused_by_name(name: str) -> None:
    assert error_of(f'{HEAD}[[step]]\nat = "1d"\ndo = "{name}"') == (
        f's.toml:6: do: "{name}": this version of itpump does not deliver it yet'
    )


def test_a_partial_program_is_judged_with_what_the_pump_will_have() -> None:
    stop = '[[step]]\nat = "1d"\ndo = "program"\ntherapy = { mode = "stopped" }\n'
    dose = '[[step]]\nat = "2d"\ndo = "program"\ntherapy = { dose_per_day = "400 ug" }\n'
    read(HEAD + THERAPY + dose)
    assert error_of(HEAD + THERAPY + stop + dose) == (
        's.toml:17: dose_per_day: mode "stopped" has no rate; leave it out'
    )


def test_a_profile_of_ones_own_is_found_beside_the_scenario(tmp_path: Path) -> None:
    shipped = Path(model.__file__).parents[2] / "emulator" / "profiles" / "rotor-20.toml"
    mine = shipped.read_text().replace('"rotor-20"', '"mine"')
    (tmp_path / "mine.toml").write_text(mine)
    file = tmp_path / "s.toml"
    file.write_text('profile = "mine.toml"\nduration = "1d"')
    assert model.load(str(file)).profile.device.model == "mine"
    (tmp_path / "mine.toml").write_text("[device]\n")
    with pytest.raises(FileError, match=r"s\.toml:1: profile: .*mine\.toml: \[device\] model"):
        model.load(str(file))
