"""Every request, response and record, field by field.

With `protocol.operations` this is the table the wire is made from; `docs/protocol.md` is generated
from both.
"""

from typing import Final

from protocol.codec import BLOB, LIST, LONG, STRUCT, TEXT, Message, message, wire
from protocol.codes import (
    BolusBasal,
    BolusKind,
    Code,
    EmergencyAction,
    LockoutFrom,
    Mode,
    ProgramKind,
    RateBasis,
    RatePer,
    StopReason,
    TxnOp,
    TxnState,
)
from protocol.errors import ErrorCode

MAX_PAYLOAD: Final = 480
"""Longest frame payload: keeps E within the 5,243 data bits where CRC-32C has distance 6."""
FILL_NOT_TOLD: Final = 0xFFFFFFFF
"""`ProgramParameters.fill_nl` when the volume in the reservoir stays as computed."""
NOT_SENSED: Final = 0xFFFFFFFF
"""`Status.sensed_nl` of a pump without a level sensor."""
PARAMETERS_MAX: Final = 400
"""What a Preview of the longest payload has room for."""
WALL_EPOCH: Final = "2000-01-01T00:00:00"
"""Wall-clock seconds (`*_wall_s`) count from here, pump local time; 0 means absent."""


# --- parts --------------------------------------------------------------------------------------


@message
class Drug(Message):
    """One drug in the reservoir. The first drug of a list is primary and drives the rate."""

    name: str = wire(TEXT, maximum=24, doc="lower-case name")
    concentration_pg_ml: int = wire("Q", unit="pg/mL", doc="mass per millilitre")


@message
class Rate(Message):
    """A rate exactly as it was given; never stored rounded."""

    basis: RateBasis = wire("B", values=RateBasis, doc="whether amount counts volume or mass")
    per: RatePer = wire("B", values=RatePer, doc="the time the amount is spread over")
    amount: int = wire("Q", unit="pL or pg", doc="amount per that time; mass is the primary drug's")


@message
class FlexStep(Message):
    """One step of a flex program: from this minute of these days on, until the next step."""

    days: int = wire("B", doc="bits of the weekdays: Monday 1, Tuesday 2 ... Sunday 64")
    from_min: int = wire("H", unit="min", doc="minute of the day, 0..1439")
    amount: int = wire("Q", unit="pL or pg", doc="rate, counted as the therapy's `rate` says")


@message
class Periodic(Message):
    """The boluses of a periodic program; its background is the therapy's `rate`."""

    basis: RateBasis = wire("B", values=RateBasis, doc="whether amount counts volume or mass")
    amount: int = wire("Q", unit="pL or pg", doc="each bolus; 0: none")
    over_s: int = wire("I", unit="s", doc="time to give each over")
    every_s: int = wire("I", unit="s", doc="from the start of one to the start of the next")
    first_min: int = wire("H", unit="min", doc="minute of the day of the first; 65535: at once")


@message
class PatientBolus(Message):
    """What the patient may give himself. Amount 0: nothing."""

    basis: RateBasis = wire("B", values=RateBasis, doc="whether amount counts volume or mass")
    amount: int = wire("Q", unit="pL or pg", doc="each bolus; mass is the primary drug's")
    over_s: int = wire("I", unit="s", doc="time to give each over; 0: as fast as allowed")
    lockout_s: int = wire("I", unit="s", doc="time until the next one may begin")
    lockout_from: LockoutFrom = wire("B", values=LockoutFrom, doc="where the lockout begins")
    max_per_24h: int = wire("B", doc="boluses in any 24 h; 0: no such limit")


AT_ONCE: Final = 0xFFFF
"""`Periodic.first_min`: the first bolus begins with the program."""
NO_PERIODIC: Final = Periodic(RateBasis.VOLUME_PL, 0, 0, 0, AT_ONCE)
NO_PATIENT_BOLUS: Final = PatientBolus(RateBasis.VOLUME_PL, 0, 0, 0, LockoutFrom.START, 0)
FLEX_STEPS_MAX: Final = 13
"""Steps of a flex program, all day groups together."""


@message
class Therapy(Message):
    """The prescription: everything the clinician decides."""

    drugs: tuple[Drug, ...] = wire(LIST, item=Drug, maximum=5, doc="1..5 drugs, primary first")
    program: ProgramKind = wire("B", values=ProgramKind, doc="infusion mode")
    rate: Rate = wire(
        STRUCT,
        item=Rate,
        doc="simple_continuous: the rate; periodic: the background; flex: basis and per of the "
        "steps, amount 0; elsewhere amount 0",
    )
    low_reservoir_nl: int = wire("I", unit="nL", doc="LOW_RESERVOIR at or below this; the reserve")
    stability_days: int = wire("H", unit="d", doc="drug stability from the fill on; 0: not given")
    catheter_um: int = wire("I", unit="µm", doc="implanted catheter length; 0: not given")
    catheter_pl_cm: int = wire("I", unit="pL/cm", doc="catheter volume per centimetre")
    bolus_basal: BolusBasal = wire("B", values=BolusBasal, doc="basal during a bolus")
    emergency: EmergencyAction = wire("B", values=EmergencyAction, doc="what emergency stop does")
    patient_may_stop: int = wire("B", doc="1: the patient's controller may stop the pump")
    steps: tuple[FlexStep, ...] = wire(
        LIST, item=FlexStep, maximum=FLEX_STEPS_MAX, default=(), doc="flex: by minute of the day"
    )
    periodic: Periodic = wire(
        STRUCT, item=Periodic, default=NO_PERIODIC, doc="periodic: its boluses"
    )
    patient: PatientBolus = wire(
        STRUCT, item=PatientBolus, default=NO_PATIENT_BOLUS, doc="what the patient may give"
    )
    window_nl: int = wire(
        "I", unit="nL", default=0, doc="most in any window, the basal counted; 0: no such limit"
    )
    window_s: int = wire("I", unit="s", default=0, doc="length of that window")


# --- reads --------------------------------------------------------------------------------------


@message
class Empty(Message):
    """No body."""


@message
class DeviceInfo(Message):
    """What the pump is, and its hard limits. All fixed for the life of the pump."""

    model: str = wire(TEXT, maximum=24, doc="profile name")
    serial: str = wire(TEXT, maximum=24, doc="pseudonymous serial number")
    firmware: str = wire(TEXT, maximum=24, doc="firmware version")
    stroke_pl: int = wire("I", unit="pL", doc="effective stroke: nominal × calibration ppm / 10^6")
    capacity_nl: int = wire("I", unit="nL", doc="reservoir capacity above the residual")
    flow_min_pl_h: int = wire("Q", unit="pL/h", doc="lowest programmable rate")
    flow_max_pl_h: int = wire("Q", unit="pL/h", doc="highest rate, basal and bolus together")
    minimum_rate_pl_h: int = wire("Q", unit="pL/h", doc="rate of minimum_rate")
    bolus_max_nl: int = wire("I", unit="nL", doc="largest single bolus")
    tubing_nl: int = wire("I", unit="nL", doc="volume of the tubing inside the pump")
    accuracy_ppm: int = wire("I", unit="ppm", doc="refill discrepancy gate, either side")
    implanted_wall_s: int = wire("I", unit="s", doc="when the service life began")
    service_days: int = wire("H", unit="d", doc="service life cap")
    low_reservoir_nl: int = wire(
        "I", unit="nL", doc="low-reservoir volume where nobody says another", default=2_000_000
    )


@message
class AlarmEntry(Message):
    """One alarm that stands."""

    code: Code = wire("B", values=Code, doc="alarm code")
    active: int = wire("B", doc="1: its condition holds; 0: latched only")
    onset_wall_s: int = wire("I", unit="s", doc="when it was raised")


@message
class Status(Message):
    """What the pump knows of itself now."""

    boot_id: int = wire("H", doc="counts the pump's boots")
    uptime_us: int = wire("Q", unit="µs", doc="since this boot's power-on")
    wall_s: int = wire("I", unit="s", doc="wall clock")
    generation: int = wire("I", doc="rises with each committed prescription or fill; 0: none yet")
    mode: Mode = wire("B", values=Mode, doc="what the pump is doing")
    program: ProgramKind = wire("B", values=ProgramKind, doc="infusion mode prescribed")
    stop_reason: StopReason = wire("B", values=StopReason, doc="why it does not deliver")
    bolus: BolusKind = wire("B", values=BolusKind, doc="bolus that runs")
    bolus_given_nl: int = wire("I", unit="nL", doc="confirmed of the bolus that runs or ran last")
    bolus_total_nl: int = wire("I", unit="nL", doc="volume of that bolus")
    rate_numerator_pl: int = wire("Q", unit="pL", doc="rate now: this / denominator, pL/h")
    rate_denominator_h: int = wire("Q", unit="h", doc="see rate_numerator_pl")
    computed_nl: int = wire("I", unit="nL", doc="reservoir volume computed from confirmed strokes")
    delivered_nl: int = wire("Q", unit="nL", doc="confirmed over the pump's life")
    uncertain_nl: int = wire("I", unit="nL", doc="counted as delivered since the fill, unconfirmed")
    fill_nl: int = wire("I", unit="nL", doc="volume at the last fill, as told")
    fill_wall_s: int = wire("I", unit="s", doc="when that was")
    battery_mv: int = wire("H", unit="mV", doc="rest voltage")
    eri: int = wire("B", doc="1: the elective replacement indicator is on")
    eri_wall_s: int = wire("I", unit="s", doc="when ERI came, or will come at the latest")
    eos_wall_s: int = wire("I", unit="s", doc="when service ends at the latest")
    refill_due_wall_s: int = wire("I", unit="s", doc="earliest of low-reservoir and stability date")
    low_reservoir_wall_s: int = wire("I", unit="s", doc="when the reserve will be reached")
    alarms: tuple[AlarmEntry, ...] = wire(
        LIST, item=AlarmEntry, maximum=32, doc="alarms that stand, in order of occurrence"
    )
    last_refusal: ErrorCode = wire("H", values=ErrorCode, doc="last refused command; OK: none")
    log_first: int = wire("I", doc="oldest log record kept")
    log_next: int = wire("I", doc="number the next log record will get")
    last_txn: int = wire("Q", doc="last transaction committed; 0: none")
    lockout_s: int = wire("I", unit="s", default=0, doc="until a patient bolus may begin; 0: now")
    boluses_24h: int = wire("B", default=0, doc="patient boluses begun in the last 24 h")
    pending_wall_s: int = wire(
        "I", unit="s", default=0, doc="when a scheduled change takes over; 0: none"
    )
    day_numerator_pl: int = wire(
        "Q", unit="pL", default=0, doc="basal per 24 h, the week's mean: this / denominator"
    )
    day_denominator: int = wire("Q", default=1, doc="see day_numerator_pl")
    sensed_nl: int = wire(
        "I", unit="nL", default=NOT_SENSED, doc="volume by the level sensor; 0xFFFFFFFF: none"
    )


@message
class PrescriptionInfo(Message):
    """The committed prescription."""

    generation: int = wire("I", doc="rises with each commit; 0: the pump has no prescription")
    written_wall_s: int = wire(
        "I", unit="s", doc="when it was stored: by a program, a refill or a bridge"
    )
    therapy: Therapy = wire(STRUCT, item=Therapy, doc="what was prescribed")
    pending_wall_s: int = wire(
        "I", unit="s", default=0, doc="when a scheduled change takes over; 0: none"
    )


@message
class LogRead(Message):
    """Ask for log records from `first` on. Repeatable, no side effect."""

    first: int = wire("I", doc="first record wanted")
    maximum: int = wire("B", doc="at most this many; the pump may send fewer")


@message
class LogRecord(Message):
    """One entry of the event log. Order follows `seq`, never the wall clock."""

    seq: int = wire("I", doc="rises by one")
    boot_id: int = wire("H", doc="boot in which it was written")
    code: Code = wire("H", values=Code, doc="what happened")
    tick_us: int = wire("Q", unit="µs", doc="since that boot's power-on")
    wall_s: int = wire("I", unit="s", doc="wall clock")
    a: int = wire("I", doc="first detail, see the table of codes")
    b: int = wire("I", doc="second detail")


@message
class LogPage(Message):
    """Records from `LogRead.first` on, as many as fit; empty at the end of the log."""

    first_kept: int = wire("I", doc="oldest record the pump still has")
    next: int = wire("I", doc="number the next record will get")
    records: tuple[LogRecord, ...] = wire(LIST, item=LogRecord, maximum=14, doc="in order of seq")


# --- transactions -------------------------------------------------------------------------------


@message
class ProgramParameters(Message):
    """Parameters of PROGRAM."""

    therapy: Therapy = wire(STRUCT, item=Therapy, doc="the whole new prescription")
    fill_nl: int = wire("I", unit="nL", doc="reservoir volume told with it; 0xFFFFFFFF: not told")
    at_wall_s: int = wire(
        "I", unit="s", default=0, doc="when it takes over, the old one running until then; 0: now"
    )
    override: int = wire("B", default=0, doc="1: soft limits were read and are meant to be passed")


@message
class BolusParameters(Message):
    """Parameters of BOLUS. Whole strokes are given: the volume is rounded down to them.

    PATIENT: amount and duration are 0, the prescription says them. PRIME and PRIME_CATHETER: the
    same, the volume is that of the path. BRIDGE: amount is the bridging dose per day, 0: the dose
    before the concentration changed.
    """

    kind: BolusKind = wire("B", values=BolusKind, doc="not NONE, not PERIODIC")
    basis: RateBasis = wire("B", values=RateBasis, doc="whether amount counts volume or mass")
    amount: int = wire("Q", unit="pL or pg", doc="dose; mass is the primary drug's")
    duration_us: int = wire("Q", unit="µs", doc="time to give it over; 0: as fast as allowed")
    again: int = wire("B", doc="1: a second like dose within 10 min is meant")
    override: int = wire("B", default=0, doc="1: soft limits were read and are meant to be passed")


@message
class RefillParameters(Message):
    """Parameters of REFILL. The residual was taken out; this volume is in the reservoir now."""

    injected_nl: int = wire("I", unit="nL", doc="volume injected")


@message
class ClearAlarmParameters(Message):
    """Parameters of CLEAR_ALARM: PREPARE selects a latched alarm, COMMIT confirms it is read."""

    code: Code = wire("B", values=Code, doc="alarm code")


@message
class SetClockParameters(Message):
    """Parameters of SET_CLOCK. Intervals and lockouts do not move with it."""

    wall_s: int = wire("I", unit="s", doc="the wall clock from now on")


@message
class Prepare(Message):
    """Stage a transaction. Changes nothing; may be repeated under the same `txn`.

    A pump with the legacy option stops for a program that is to begin at once.
    """

    txn: int = wire("Q", doc="the tool's number: saved rising counter, low half random; not 0")
    op: TxnOp = wire("B", values=TxnOp, doc="what to do")
    schema_id: int = wire("I", doc="message table the parameters were made with")
    generation: int = wire("I", doc="Status.generation the tool's view is based on")
    parameters: bytes = wire(LONG, maximum=PARAMETERS_MAX, doc="the op's parameters, encoded")


@message
class Preview(Message):
    """What COMMIT would do, in the pump's own canonical values."""

    txn: int = wire("Q", doc="transaction")
    state: TxnState = wire("B", values=TxnState, doc="PREPARED, or how far it already is")
    token: int = wire("I", doc="to be sent back with COMMIT")
    expires_ms: int = wire("I", unit="ms", doc="token is good for this long")
    hash: bytes = wire(BLOB, maximum=16, doc="SHA-256/16 of op, parameters, preview, generation")
    parameters: bytes = wire(
        LONG, maximum=PARAMETERS_MAX, doc="parameters as the pump understood them"
    )
    strokes: int = wire("Q", doc="BOLUS: whole strokes; PROGRAM: whole strokes per 24 h")
    volume_nl: int = wire("Q", unit="nL", doc="BOLUS: to be given; PROGRAM: volume per 24 h")
    duration_us: int = wire("Q", unit="µs", doc="BOLUS: how long it will take")
    computed_nl: int = wire("I", unit="nL", doc="computed reservoir volume after the commit")


@message
class Commit(Message):
    """Do what was prepared. Acts once, however often it is sent."""

    txn: int = wire("Q", doc="transaction")
    token: int = wire("I", doc="from Preview")
    hash: bytes = wire(BLOB, maximum=16, doc="from Preview")


@message
class TxnRef(Message):
    """Names a transaction (QUERY, ABORT)."""

    txn: int = wire("Q", doc="transaction")


@message
class TxnResult(Message):
    """How far a transaction is."""

    txn: int = wire("Q", doc="transaction")
    state: TxnState = wire("B", values=TxnState, doc="how far")
    op: int = wire("B", doc="its op; 0: unknown")
    given_nl: int = wire("I", unit="nL", doc="confirmed volume of a bolus")
    total_nl: int = wire("I", unit="nL", doc="its whole volume")
    cause: int = wire("H", doc="ENDED_EARLY: log code; REFUSED: error code; else 0")
    generation: int = wire("I", doc="Status.generation after it")


@message
class Refusal(Message):
    """Detail of any result that is not OK."""

    id: int = wire("H", doc="limit id, mode or 0: see the table of error codes")
    value: int = wire("Q", doc="the value that was refused")
    limit: int = wire("Q", doc="the limit it broke")
