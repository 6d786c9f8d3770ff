"""SET_CLOCK and a reset in the middle of it: it is done, or it is not, or the pump says so.

Flash and clock cannot be written in one step. So the record that commits says only COMMITTED, with
the time before and after; then the clock is set, that is logged, and a second record says DONE,
which is answered. A boot that finds the first record alone finishes it: from what the clock shows
it sees whether it had been set, since time has gone on from one of the two. After a loss of power,
whose length is not known, it may have gone on from either: then nobody knows, the transaction has
ended early, the clock stays, and a person who reads it sees what it shows.
"""

from dataclasses import replace

from firmware.event_log import EventLog
from firmware.journal import Journal, Txn
from hal.interfaces import Rtc
from protocol.codes import Code, TxnOp, TxnState


def begun(txn: Txn, before_s: int, after_s: int) -> Txn:
    """Return the transaction as its committing record has it: the clock is about to be set."""
    return replace(txn, state=TxnState.COMMITTED, given_strokes=before_s, total_strokes=after_s)


def done(txn: Txn) -> Txn:
    """Return it when the clock has been set."""
    return replace(txn, state=TxnState.DONE, given_strokes=0, total_strokes=0)


def finish(journal: Journal, log: EventLog, rtc: Rtc, warm: bool) -> None:
    """At boot: finish what a reset interrupted. `warm`: no power was lost."""
    for txn in journal.txns.values():
        if txn.op is TxnOp.SET_CLOCK and txn.state is TxnState.COMMITTED:
            before_s, after_s = txn.given_strokes, txn.total_strokes
            known = _logged(log, before_s, after_s) or _finished(log, rtc, before_s, after_s, warm)
            ended = replace(done(txn), state=TxnState.ENDED_EARLY, cause=Code.RESET)
            journal.durable.txn = done(txn) if known else ended
            journal.write()
            return


def _logged(log: EventLog, before_s: int, after_s: int) -> bool:
    """Return True when the newest setting of the clock in the log is this one."""
    for record in log.newest_first():
        if record.code is Code.CLOCK_SET:
            return record.a >= after_s and record.a - record.b == after_s - before_s
    return False


def _finished(log: EventLog, rtc: Rtc, before_s: int, after_s: int, warm: bool) -> bool:
    """Set the clock unless it has been set, and log it; False: that cannot be known."""
    now_s = rtc.now_s()
    passed = [(now_s - from_s, from_s) for from_s in (before_s, after_s) if now_s >= from_s]
    if not passed or (len(passed) == 2 and not warm):
        return False
    passed_s, from_s = min(passed)
    if from_s == before_s:
        rtc.set_s(after_s + passed_s)
    log.append(Code.CLOCK_SET, after_s + passed_s, before_s + passed_s)
    return True
