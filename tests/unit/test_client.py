"""The client library: what it does when the line or the pump fails in the middle of something."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from scripted_pump import BACLOFEN, DEVICE, Refuse, ScriptedPump

from protocol.codes import BolusKind, RateBasis, Role, TxnOp, TxnState
from protocol.errors import ErrorCode, LimitId
from protocol.messages import FILL_NOT_TOLD, BolusParameters, ProgramParameters
from tools.programmer.client import Client
from tools.programmer.errors import JournalError, NoLink, PreviewChanged, Refused, Uncertain
from tools.programmer.journal import Journal
from tools.programmer.session import BUSY_TRIES, CLOSE_WAIT_US

BOLUS = BolusParameters(BolusKind.SINGLE, RateBasis.MASS_PG, 20_000_000, 300_000_000, 0)
ONCE = [(TxnOp.BOLUS, 0x1_0000_0001)]


def bits() -> Iterator[int]:
    return count(1)


@pytest.fixture
def pump() -> ScriptedPump:
    return ScriptedPump()


@pytest.fixture
def journal() -> Journal:
    return Journal(lambda bits: 1)


@pytest.fixture
def client(pump: ScriptedPump, journal: Journal) -> Client:
    numbers = bits()
    client = Client(pump, journal, port="scripted", random_bits=lambda bits: next(numbers))
    client.open()
    return client


def states(journal: Journal) -> list[str]:
    return [entry.state for entry in journal.open_entries(DEVICE.serial)]


# --- session ------------------------------------------------------------------------------------


def test_nothing_at_the_other_end_is_no_link_after_the_link_gives_up(pump: ScriptedPump) -> None:
    pump.mute["HELLO"] = 1
    with pytest.raises(NoLink, match="scripted: no answer to HELLO"):
        Client(pump, port="scripted").open()
    assert 5_000_000 < pump.now_us() < 15_000_000


def test_no_link_is_a_timeout_for_callers_that_know_nothing_of_pumps(pump: ScriptedPump) -> None:
    pump.unplugged = True
    with pytest.raises(TimeoutError):
        Client(pump).open()


def test_a_role_that_is_not_granted_opens_no_session(pump: ScriptedPump) -> None:
    pump.role = Role.PATIENT
    client = Client(pump)
    with pytest.raises(Refused) as refused:
        client.open(Role.CLINICIAN)
    assert refused.value.code is ErrorCode.DENIED
    assert client.session is None


def test_a_session_the_pump_has_ended_is_opened_again_for_a_read(
    pump: ScriptedPump, client: Client
) -> None:
    pump.reboot()
    assert client.status() == pump.status


def test_another_message_table_may_be_read_but_not_programmed(pump: ScriptedPump) -> None:
    pump.schema_id ^= 1
    client = Client(pump)
    client.open()
    assert client.status().generation == 0
    with pytest.raises(Refused) as refused:
        client.prepare(TxnOp.BOLUS, BOLUS, 0)
    assert refused.value.code is ErrorCode.SCHEMA
    assert "PREPARE" not in pump.asked


def test_close_ends_the_session_and_a_dead_line_does_not_hold_it_up(
    pump: ScriptedPump, client: Client
) -> None:
    client.close()
    assert pump.asked == ["CLOSE"]
    client.open()
    pump.unplugged = True
    client.close()
    assert client.session is None


@pytest.mark.parametrize("fault", ["mute", "busy"])
def test_close_waits_a_second_at_most(pump: ScriptedPump, client: Client, fault: str) -> None:
    if fault == "mute":
        pump.mute["CLOSE"] = 1
    else:
        pump.refuse["CLOSE"] = Refuse(ErrorCode.BUSY, 0, 500)
    start_us = pump.now_us()
    client.close()
    assert pump.now_us() - start_us <= CLOSE_WAIT_US
    assert client.session is None


# --- reads --------------------------------------------------------------------------------------


def test_the_log_comes_whole_and_in_order_over_its_pages(client: Client) -> None:
    assert [record.seq for record in client.log()] == list(range(30))
    assert [record.seq for record in client.log(28)] == [28, 29]
    assert list(client.log(30)) == []


def test_the_device_is_asked_for_once(pump: ScriptedPump, client: Client) -> None:
    assert client.device() is client.device()
    assert pump.asked.count("DEVICE") == 1


def test_a_busy_pump_is_asked_again_after_the_time_it_names(
    pump: ScriptedPump, client: Client
) -> None:
    pump.refuse["STATUS"] = Refuse(ErrorCode.BUSY, 0, 200)
    start_us = pump.now_us()
    assert client.status() == pump.status
    assert pump.asked == ["STATUS", "STATUS"]
    assert 200_000 <= pump.now_us() - start_us < 300_000


def test_a_pump_that_stays_busy_is_given_up(pump: ScriptedPump, client: Client) -> None:
    class Always(dict[str, Refuse]):
        def pop(self, key: str, *default: object) -> Refuse:  # type: ignore[override]
            return self[key]

    pump.refuse = Always(STATUS=Refuse(ErrorCode.BUSY))
    with pytest.raises(Refused, match="BUSY: the pump is busy"):
        client.status()
    assert len(pump.asked) == BUSY_TRIES


def test_stop_without_an_answer_is_uncertain(pump: ScriptedPump, client: Client) -> None:
    pump.mute["STOP"] = 1
    with pytest.raises(Uncertain, match="repeat it"):
        client.stop()


# --- transactions -------------------------------------------------------------------------------


def test_a_refusal_is_told_in_words_and_closes_the_transaction(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    limit = (LimitId.FLOW_MAX_PL_H, 25 * 10**9 // 24, 10**9)
    pump.refuse["PREPARE"] = Refuse(ErrorCode.LIMIT_HARD, *limit)
    with pytest.raises(Refused) as refused:
        client.prepare(TxnOp.BOLUS, BOLUS, 0)
    assert refused.value.refusal.limit == 10**9
    assert str(refused.value) == (
        "refused by the pump: LIMIT_HARD: flow 25 mL/day is above this pump's highest rate, "
        "24 mL/day"
    )
    assert states(journal) == []


def test_the_number_is_saved_before_the_first_byte_goes_out(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    saved: list[list[str]] = []
    pump.before["PREPARE"] = lambda: saved.append(states(journal))
    pump.before["COMMIT"] = lambda: saved.append(states(journal))
    client.commit(client.prepare(TxnOp.BOLUS, BOLUS, 0))
    assert saved == [["prepared"], ["committing"]]
    assert states(journal) == []


def test_numbers_rise_above_the_last_one_the_pump_knows(pump: ScriptedPump, client: Client) -> None:
    pump.status = replace(pump.status, last_txn=9 << 32 | 5)
    assert client.prepare(TxnOp.BOLUS, BOLUS, 0).txn == 10 << 32 | 1


def test_a_lost_reply_to_commit_is_asked_for_again_and_doses_once(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute["COMMIT"] = 2
    assert client.commit(preview).state is TxnState.DONE
    assert pump.doses == ONCE
    assert pump.asked.count("COMMIT") == 3
    assert states(journal) == []


def test_a_commit_that_never_arrives_is_sent_again(pump: ScriptedPump, client: Client) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.deaf["COMMIT"] = 2
    assert client.commit(preview).state is TxnState.DONE
    assert pump.doses == ONCE


def test_after_three_repeats_query_decides(pump: ScriptedPump, client: Client) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute["COMMIT"] = 4
    assert client.commit(preview).state is TxnState.DONE
    assert pump.asked.count("COMMIT") == 4
    assert pump.asked[-1] == "QUERY"
    assert pump.doses == ONCE


def test_no_answer_to_query_either_is_uncertain_and_stays_open(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute.update(COMMIT=4, QUERY=1)
    with pytest.raises(Uncertain):
        client.commit(preview)
    assert states(journal) == ["committing"]
    assert pump.doses == ONCE


def test_a_refusal_while_the_commit_is_in_the_balance_decides_nothing(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute["COMMIT"] = 4
    pump.refuse["QUERY"] = Refuse(ErrorCode.DENIED)
    with pytest.raises(Uncertain):
        client.commit(preview)
    assert states(journal) == ["committing"]


def test_a_reboot_between_prepare_and_commit_doses_once(pump: ScriptedPump, client: Client) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.before["COMMIT"] = pump.reboot
    assert client.commit(preview).state is TxnState.DONE
    assert pump.doses == ONCE


def test_a_reboot_after_the_commit_does_not_dose_again(pump: ScriptedPump, client: Client) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute["COMMIT"] = 1
    pump.before["COMMIT"] = lambda: pump.before.update(COMMIT=pump.reboot)
    assert client.commit(preview).state is TxnState.DONE
    assert "COMMIT" not in pump.before
    assert pump.doses == ONCE


def test_an_expired_token_is_renewed_under_the_same_number(
    pump: ScriptedPump, client: Client
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.refuse["COMMIT"] = Refuse(ErrorCode.EXPIRED)
    assert client.commit(preview).txn == preview.txn
    assert pump.doses == ONCE


def test_a_changed_preview_is_never_committed(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = replace(client.prepare(TxnOp.BOLUS, BOLUS, 0), hash=bytes(16))
    with pytest.raises(PreviewChanged) as changed:
        client.renew(preview)
    pump.refuse["COMMIT"] = Refuse(ErrorCode.EXPIRED)
    with pytest.raises(PreviewChanged):
        client.commit(preview)
    assert pump.doses == []
    assert states(journal) == ["committing"]
    client.commit(changed.value.preview)
    assert len(pump.doses) == 1


def test_a_commit_that_did_not_verify_is_refused_only_after_query(
    pump: ScriptedPump, client: Client
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.refuse["COMMIT"] = Refuse(ErrorCode.NVM_FAIL)
    with pytest.raises(Refused, match="could not save it"):
        client.commit(preview)
    assert pump.asked[-1] == "QUERY"
    assert pump.doses == []


def test_a_prescription_changed_meanwhile_is_refused(pump: ScriptedPump, client: Client) -> None:
    parameters = ProgramParameters(BACLOFEN, FILL_NOT_TOLD)
    client.commit(client.prepare(TxnOp.PROGRAM, parameters, 0))
    with pytest.raises(Refused) as refused:
        client.prepare(TxnOp.PROGRAM, parameters, 0)
    assert refused.value.code is ErrorCode.GENERATION


def test_a_journal_that_fails_after_the_commit_is_a_warning(
    pump: ScriptedPump, client: Client, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(txn: int, result: str) -> None:
        raise JournalError("transaction journal: No space left on device")

    warnings: list[str] = []
    client.warn = warnings.append
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    monkeypatch.setattr(journal, "close", full)
    result = client.commit(preview)
    assert client.committed == [(TxnOp.BOLUS, result)]
    assert pump.doses == ONCE
    (warning,) = warnings
    assert "No space left on device" in warning


# --- the next start of the tool -----------------------------------------------------------------


def test_a_tool_that_died_after_commit_finds_its_dose_and_gives_no_other(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    pump.mute.update(COMMIT=4, QUERY=1)
    with pytest.raises(Uncertain):
        client.commit(preview)
    reborn = Client(pump, journal)
    reborn.open()
    ((entry, result),) = reborn.settle()
    assert (entry.op, entry.parameters[:2], result.state) == ("BOLUS", "01", TxnState.DONE)
    assert pump.doses == ONCE
    assert reborn.settle() == []


def test_a_tool_that_died_at_the_question_leaves_nothing_to_commit(
    pump: ScriptedPump, client: Client, journal: Journal
) -> None:
    preview = client.prepare(TxnOp.BOLUS, BOLUS, 0)
    reborn = Client(pump, journal)
    reborn.open()
    ((_, result),) = reborn.settle()
    assert result.state is TxnState.PREPARED
    assert pump.asked[-1] == "ABORT"
    assert reborn.query(preview.txn).state is TxnState.UNKNOWN
    assert pump.doses == []
