"""Faults in a scenario: their parameters as people write them, or one line that says why not."""

import pytest

from emulator.faults import FAULTS
from tools.scenario import model, steps
from tools.toml_file import FileError, parse

DAY_US = 86_400_000_000


def step(lines: str, profile: str = "rotor-40") -> steps.Step:
    head = f'profile = "{profile}"\nseed = 1\nduration = "30d"\n'
    return model.read(parse("s.toml", f'{head}[[step]]\nat = "1d"\n{lines}')).steps[0]


def test_faults_take_their_own_parameters() -> None:
    field = step('do = "inject"\nfault = "magnet_field"\nfor = "30 min"\nrecovery = "24 h"')
    assert isinstance(field, steps.Inject)
    assert (field.fault, field.parameters) == ("magnet_field", {"recovery": DAY_US})
    assert field.for_us == 1800 * 10**6
    noise = step('do = "inject"\nfault = "link.noise"\nber = 1e-4')
    assert isinstance(noise, steps.Inject)
    assert (noise.parameters, noise.for_us) == ({"ber": "0.0001"}, None)
    drain = step('do = "inject"\nfault = "battery.drain"\npercent = "12.5"')
    assert isinstance(drain, steps.Inject)
    assert drain.parameters == {"percent": "12.5"}
    bias = step('do = "inject"\nfault = "sensor.level_bias"\nby = "-1.5 mL"', "sensed-40")
    assert isinstance(bias, steps.Inject)
    assert bias.parameters == {"by": -1_500_000}
    valve = step('do = "inject"\nfault = "magnet_field"\nfav = true', "valve-40")
    assert isinstance(valve, steps.Inject)
    assert valve.parameters == {"fav": "true"}
    clear = step('do = "clear"\nfault = "link.noise"')
    assert isinstance(clear, steps.Clear)
    assert clear.fault == "link.noise"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            'do = "inject"\nfault = "magnetfield"',
            f's.toml:7: fault: "magnetfield": not one of {", ".join(FAULTS)}; '
            'did you mean "magnet_field"?',
        ),
        (
            'do = "inject"\nfault = "magnet_field"\nfav = true',
            "s.toml:4: magnet_field fav: only for a pump with valves that a magnetic field opens",
        ),
        (
            'do = "inject"\nfault = "magnet_field"\nfav = "yes"',
            's.toml:8: fav: "yes": true or false is needed, without quotes',
        ),
        (
            'do = "inject"\nfault = "sensor.level_stuck"',
            "s.toml:4: sensor.level_stuck: only for a pump with a level sensor",
        ),
        (
            'do = "inject"\nfault = "sensor.level_bias"\nby = "-2"',
            's.toml:8: by: "-2": a volume needs a unit, e.g. "40 mL"',
        ),
        (
            'do = "inject"\nfault = "motor.wear"',
            's.toml:7: fault: "motor.wear": this version of itpump does not deliver it yet',
        ),
        (
            'do = "inject"\nfault = "link.noise"',
            's.toml:4: key "ber" is missing',
        ),
        (
            'do = "inject"\nfault = "link.noise"\nber = 2',
            "s.toml:8: ber: 2: must be 0 to 1",
        ),
        (
            'do = "inject"\nfault = "link.noise"\nber = "0.1"\nrecovery = "1h"',
            's.toml:9: unknown key "recovery"; known are at, do, fault, for, ber',
        ),
        (
            'do = "inject"\nfault = "battery.drain"\npercent = 5\nfor = "1h"',
            "s.toml:9: for: battery.drain happens once; leave it out",
        ),
        (
            'do = "clear"\nfault = "battery.drain"',
            "s.toml:7: fault: battery.drain happens once; there is nothing to clear",
        ),
    ],
)
def test_a_bad_fault_is_one_line(lines: str, message: str) -> None:
    with pytest.raises(FileError) as caught:
        step(lines)
    assert str(caught.value) == message
