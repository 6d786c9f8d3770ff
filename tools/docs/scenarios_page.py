"""`docs/scenarios.md`: how a scenario file is written, what it means, and every name in it.

The lists come from the tables that the reader of the files uses. The first example is run here, and
what it prints is part of the page; a test reads every example of the page as `itpump simulate`
would. An example that is no whole file goes at the end of the first.
"""

from dataclasses import replace
from typing import Final

from emulator.profile import names
from tools.docs import scenario_tables as tables
from tools.docs.markdown import code, paragraphs
from tools.scenario import command, model, runner
from tools.scenario.result import Result
from tools.scenario.view import EVENTS_KEPT
from tools.toml_file import MAX_BYTES, NOT_YET, parse

FIRST: Final = """\
profile = "rotor-40"                # the pump
duration = "1d"                     # of pump time

[therapy]                           # programmed at t = 0
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "simple_continuous"
dose_per_day = "300 ug"             # 150 uL a day

[[step]]                            # what happens
at = "6h"
do = "bolus"
dose = "20 ug"                      # 10 uL
over = "5 min"

[[expect]]                          # what must be so
at = "6h 1min"
that = "pump.mode"
is = "bolus"

[[expect]]                          # without `at`: at the end
that = "truth.delivered_ul"
equals = 160

[[expect]]
that = "pump.computed_ul"
equals = 39840
within = "0.25"                     # one stroke

[[expect]]
that = "programmer.refusals"        # everything was done
equals = []
"""
"""The first example."""
BIASED: Final = """\
[plant]
flow_bias_percent = 10

[[expect]]
that = "truth.reservoir_ul"
equals = 39824                      # not the 39840 that the pump computes
"""
MAGNET: Final = """\
[[step]]
at = "12h"
do = "inject"
fault = "magnet_field"
for = "30 min"
recovery = "2 h"

[[expect]]
at = "14h"
that = "event.first.STALL"
min = 43200
max = 45000
"""
CHANGE: Final = """\
[[step]]
at = "12h"
do = "refill"
injected = "40 mL"
drugs = [{ name = "baclofen", concentration = "1000 ug/mL" }]

[[step]]
at = "12h"
do = "program"
[step.therapy]
drugs = [{ name = "baclofen", concentration = "1000 ug/mL" }]
dose_per_day = "300 ug"
catheter = { length = "81.5 cm", volume = "0.0022 mL/cm" }

[[step]]
at = "12h"
do = "bolus"
kind = "bridge"
"""
SCHEDULE: Final = """\
profile = "rotor-40"
start = 2027-01-04T09:00:00
duration = "2w"

[therapy]
drugs = [{ name = "baclofen", concentration = "2000 ug/mL" }]
mode = "flex"
days = [
    { on = "mon-fri", steps = [
        { from = "06:00", rate = "10 ug/h" },
        { from = "22:00", rate = "5 ug/h" },
    ] },
    { on = "sat,sun", steps = [{ from = "08:00", rate = "8 ug/h" }] },
]
patient_bolus = { dose = "20 ug", over = "5 min", lockout = "2 h", max_per_24h = 4 }
window_limit = { volume = "200 uL", window = "24 h" }

[therapy.scheduled_change]
at = 2027-01-11T08:00:00
therapy = { mode = "simple_continuous", dose_per_day = "250 ug" }
"""
PARTIAL: Final = """\
[[step]]
at = "8h"
do = "program"
therapy = { dose_per_day = "240 ug", bolus_basal = "pause" }
"""


def first_run() -> Result:
    """Run the first example; its name is that of the page."""
    return runner.run(model.read(parse("first.toml", FIRST)))


def render() -> str:
    """Return the page."""
    return paragraphs(_first(), _running(), _writing(), _meaning(), _keys(), _lists()) + "\n"


def _first() -> str:
    # What differs from run to run, and what any change of the firmware changes, is left out.
    printed = command.report(replace(first_run(), wall_s=0.01, trace_sha256="..."))
    return paragraphs(
        "# Scenarios",
        """
> The tables and the printed result are made by `itpump docs` from the code. Do not edit this page;
> its text is in `tools/docs/scenarios_page.py`.

A scenario is a TOML file: a pump, what is done to it, and what must be so. `itpump simulate` runs
it in virtual time, a month in a second or less, and says which expectations hold.

## 1. A first scenario
""",
        code(FIRST, "toml"),
        code(f"$ itpump simulate first.toml\n{printed}"),
        """
Four parts: the pump and the length of the run, the `[therapy]` that a programmer gives it at t = 0,
any number of `[[step]]`, any number of `[[expect]]`. The programmer is the real one and talks the
real protocol, so what the pump would refuse in the clinic it refuses here.

Now let the pump be wrong. `[plant]` is what is physically true and the pump is not told. Here each
stroke gives a tenth more than it believes. Put this at the end of the file:
""",
        code(BIASED, "toml"),
        """
The new expectation holds, `truth.delivered_ul` is 176 and fails, and `pump.computed_ul` is still
what it was. That is the point of the two names: **`truth.*` is what is physically so, `pump.*` is
what the pump says.** Judge a therapy by the truth; judge the pump by the difference.

Or let something happen to it. The rotor is held by a field, as in an MRI scanner:
""",
        code(MAGNET, "toml"),
        "`examples/` has more, each with its reason at the top.",
    )


def _running() -> str:
    return f"""
## 2. Running it

```sh
itpump simulate first.toml                     # a table for people
itpump simulate first.toml --json              # one object for programs
itpump simulate first.toml --seed 7            # in place of the file's seed
itpump simulate first.toml --trace run.jsonl   # every event
itpump simulate first.toml --plot run.png      # a picture; pip install -e '.[plot]' first
```

| exit code | meaning |
|---|---|
| {command.PASSED} | every expectation holds, or there is none |
| {command.FAILED} | one does not; a line `FILE:LINE: ...` for each says by how much |
| {command.BAD_INPUT} | the file or an option cannot be used; one line on stderr says why |

The whole file is checked before anything runs: an unknown key, a wrong unit, an `at` past the end,
a misspelt measure or code. A name that belongs to a later version is refused as such
("{NOT_YET}"). A file is at most {MAX_BYTES >> 20} MiB.

**The result** (`--json`) is one object:

| key | what |
|---|---|
| `scenario`, `profile`, `seed` | file as given, model, seed used |
| `passed` | true when every expectation holds |
| `expectations` | in file order: `at` as written or "end", `that`, `actual`, `passed` |
| `final` | every measure at the end |
| `events` | the trace without the motor's batches, at most {EVENTS_KEPT:,} lines |
| `trace_sha256` | hash of the whole trace |
| `simulated_s`, `wall_s` | pump time; time it took here, the only value that is not reproducible |

Whole numbers are numbers, others are exact text ("6.25", "25/3"), absent is `null`.

**The trace** has one line per event: `{{"code":..,"detail":{{..}},"source":..,"t_us":..}}`, keys in
this order, integers and texts only, `t_us` since t = 0. Lines of source `pump` are its log. The
hash is the SHA-256 of the file that `--trace` writes: the same for the same scenario, seed and
version of itpump, on every machine and Python. It says that the same things happened at the same
instants; amounts that no event carries, such as a bias of the flow, are for expectations to judge.

**The picture** shows delivery, reservoir (physical, computed, sensed), battery, mode and alarms.
The ending of its name chooses the format. Drawing does not change the run or its hash.
"""


def _writing() -> str:
    return paragraphs(
        "## 3. Writing values",
        "A quantity is a text with a number and a unit, read exactly, never through a float:",
        tables.quantities(),
        """
Times may be sums. `µ` and `u` are the same, and so are `mcg` and `ug`, `day` and `d` in a rate.
There is no sign, no comma, no exponent; a number without its unit is an error.

A pure number, as in `equals`, is a number or a text: `35500`, `0.25`, `"0.25"`, `"25/3"`. All are
exact. A wall-clock time is a TOML time without zone and without quotes: `2027-01-04T09:00:00`.
""",
    )


def _meaning() -> str:
    return paragraphs(
        """
## 4. What it means, exactly

**t = 0.** The pump boots, tests itself, is programmed with `[therapy]`, and delivery begins, all at
t = 0. Steps and expectations at `"0s"` come after that.

**`at`** is a time since t = 0 (`"2d 6h"`), or a wall-clock time not before `start`. Past `duration`
it is an error. A step must have one; an expectation without it is judged at the end.

**Order at one instant.** First whatever is due in pump and physics; then the steps of that instant,
in file order, each to its end; then its expectations. So an expectation at the instant of a step
sees its effect. Steps of different instants may stand in any order.

**The programmer takes no time.** A step that talks to the pump opens a session, acts and closes it,
all at its instant. Only when no answer comes does time run, until a repetition gets through or the
programmer has had no answer for some 10 s. What falls due in the file meanwhile is late, and the
run may end that much after `duration`.

**A refusal is no error.** What the pump or the programmer refuses is not done; its
[code](protocol.md#12-error-codes) is added to `programmer.refusals`, `simulate` lists it,
and the run goes on. `NO_LINK`: no answer came. `UNCERTAIN`: no answer came to a commit, it may have
been done. Expect `programmer.refusals` to equal `[]` where all should go well. The `[therapy]` of
t = 0 is another matter: one that the pump would refuse is an impossible value, and the file is not
run.

**A partial therapy.** The `therapy` of a `program` step keeps what it leaves out:
""",
        code(PARTIAL, "toml"),
        """
**The whole therapy.** Schedules go by the pump's wall clock, intervals and lockouts do not:
""",
        code(SCHEDULE, "toml"),
        """
A step of a schedule holds until the next one, over midnight and over the week. A scheduled change
is programmed after the rest of the table; a table that holds nothing else leaves what runs alone.
`patient_bolus = { }` and `window_limit = { }` take a permission or a limit away again.

**Another concentration** is three steps at one instant: the refill, the program, the bridge.
""",
        code(CHANGE, "toml"),
        """
The bridge goes on at the old rate until the path is free of the old solution. Left out, it is a
warning.

**Warnings** refuse nothing; `programmer.warnings` lists their codes, oldest first:
""",
        tables.warnings(),
        """
**A refill** takes out all there is and puts `injected` in, no more than the reservoir holds. What
was aspirated (`actual_residual`, else the truth) is judged against what the pump expects:
(fill - actual) / (fill - expected) - 1, within the profile's accuracy or not.

**Soft limits** of a drug ([drugs.md](drugs.md)) refuse a program or bolus with LIMIT_SOFT, unless
the step says `override = true`. What the run starts from is taken as meant.

**`truth.*` and `pump.*`.** A `pump.*` measure is what a status reply would say at that instant;
looking takes no time and is not logged, and no noise on the link is in the way. `interrogate` is
the read that a clinician does. While the pump has no power its measures are absent.

**Absent** is `null`: a date that is not known, a code never logged, a pump without power. Only
`is = "null"` holds then, whatever the kind of measure.

**Volumes** count above the residual that cannot be extracted: 0 is nothing left to deliver. What
has left the pump fills tubing and catheter first; `truth.tip_ug` counts what has come out of the
tip, and drug that was there at t = 0 with `path = "primed"` counts too.

**A stroke** of a constant rate ends when its volume is owed, the first one a whole interval after
the start. An expectation in the middle of one sees part of it: allow one stroke with `within`.

**Chance** (the link's noise, the programmer's numbers) comes from `seed` alone.
""",
    )


def _keys() -> str:
    return paragraphs(
        "## 5. Keys",
        "### The file",
        tables.top_keys(),
        "### `[plant]`",
        "What is physically true at t = 0. All of it may be left out.",
        tables.plant_keys(),
        "### `[therapy]`",
        """
`drugs` and `mode` must be there, and what the mode needs: `simple_continuous` `dose_per_day` or
`rate`, `flex` `steps` or `days`, `periodic` `background`, `bolus` and `every`. The catheter is also
the physical one.
""",
        tables.therapy_keys(),
        "Keys of `patient_bolus`, of which `dose` and one of the two limits must be there:",
        tables.patient_keys(),
        "### `[[step]]`",
        "Each has `at` and `do`, and the keys of its action.",
        tables.action_rows(),
        "### Faults",
        "`inject` takes the parameters of the fault as keys beside `fault` and `for`.",
        tables.faults(),
        "### `[[expect]]`",
        tables.expect_keys(),
        "and one comparator or more, all of which must hold:",
        tables.comparators(),
    )


def _lists() -> str:
    return paragraphs(
        "## 6. Measures",
        """
`<drug>` is the name of a drug of the scenario, `<CODE>` one of the
[log and alarm codes](protocol.md#13-log-and-alarm-codes); [alarms.md](alarms.md) says when each
alarm comes, [modes.md](modes.md) what each mode is. A name that ends with a unit is in that unit.
""",
        tables.measures(),
        "## 7. Profiles",
        f"""
Shipped are {", ".join(f"`{name}`" for name in names())}; [profiles.md](profiles.md) has their
numbers. To change one, copy its file from `emulator/profiles/` beside the scenario and name it:
`profile = "my-pump.toml"`.
""",
    )
