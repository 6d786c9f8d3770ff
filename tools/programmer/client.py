"""A session with a pump: typed requests, and transactions that act once.

`Client` runs over any `Transport`. Reads and STOP are single requests. Whatever doses goes through
`prepare` and `commit`, and its number is in the tool's journal before the first byte is sent:

    preview = client.prepare(TxnOp.BOLUS, parameters, status.generation)
    ...                                    # a person confirms the pump's own values
    preview = client.renew(preview)        # the token's 30 s are never the human's
    result = client.commit(preview)

`commit` repeats an unanswered COMMIT, opens a lost session again, QUERYs, and prepares again under
the same number when the pump has forgotten the draft; it commits that only if the pump's hash is
the confirmed one, so at most one dose comes of it. What stays unknown is `Uncertain`.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from protocol import codec
from protocol.codec import Message
from protocol.codes import TxnOp, TxnState
from protocol.errors import ErrorCode
from protocol.messages import (
    Commit,
    DeviceInfo,
    Empty,
    LogPage,
    LogRead,
    LogRecord,
    Prepare,
    PrescriptionInfo,
    Preview,
    Refusal,
    Status,
    TxnRef,
    TxnResult,
)
from protocol.operations import SCHEMA_ID
from tools.programmer.errors import JournalError, NoLink, PreviewChanged, Refused, Uncertain
from tools.programmer.journal import Entry, Journal
from tools.programmer.session import Session
from tools.programmer.transport import Transport

COMMIT_REPEATS: Final = 3
"""Times an unanswered COMMIT is sent again before QUERY decides (protocol, idempotency)."""
LOG_PAGE: Final = 14
"""Records asked for at a time: what fits a frame."""
_ENDED_BEFORE: Final = (TxnState.UNKNOWN, TxnState.PREPARED)
"""States in which the pump has not committed the transaction."""
_RENEW_AFTER: Final = (ErrorCode.SESSION_GONE, ErrorCode.EXPIRED)
"""Answers to COMMIT after which the same transaction is prepared again, if it was not done."""
_QUERY_AFTER: Final = (*_RENEW_AFTER, ErrorCode.BUSY, ErrorCode.NVM_FAIL)
"""Answers to COMMIT that do not say whether it was done."""


class Client(Session):
    """A session with its transactions. Not for use by two threads."""

    def __init__(
        self,
        transport: Transport,
        journal: Journal | None = None,
        *,
        port: str = "the port",
        baud: int = 115_200,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        """`journal` defaults to one in memory; `port` is what messages call the other end.

        `baud` sets the repetition timer; ports without one are fast.
        """
        super().__init__(transport, port=port, baud=baud, random_bits=random_bits)
        self._journal = Journal(random_bits) if journal is None else journal
        self._last_txn: int | None = None
        self._device: DeviceInfo | None = None
        self._staged: dict[int, Prepare] = {}
        self.committed: list[tuple[TxnOp, TxnResult]] = []
        """What the pump has committed for this client, each as it was answered."""
        self.by = ""
        """Name of the person whose transactions these are; "": not told."""
        self.stopped = False
        """The pump has answered a STOP of this client."""
        self.warn: Callable[[str], None] = lambda line: None
        """Is told what went wrong beside the matter, in one line: the journal could not be kept."""

    # --- reads ----------------------------------------------------------------------------------

    def status(self) -> Status:
        """Read the status; the pump does not log it."""
        return self._seen(self._request("STATUS", Empty(), Status))

    def interrogate(self) -> Status:
        """Read the status at the start of a visit; the pump logs it."""
        return self._seen(self._request("INTERROGATE", Empty(), Status))

    def device(self) -> DeviceInfo:
        """Read what the pump is; fixed, so it is read once."""
        if self._device is None:
            self._device = self._request("DEVICE", Empty(), DeviceInfo)
        return self._device

    def prescription(self) -> PrescriptionInfo:
        """Read the committed prescription; generation 0 when there is none."""
        return self._request("PRESCRIPTION", Empty(), PrescriptionInfo)

    def pending(self) -> PrescriptionInfo:
        """Read the scheduled change; generation 0 when there is none."""
        return self._request("PENDING", Empty(), PrescriptionInfo)

    def log(self, first: int = 0) -> Iterator[LogRecord]:
        """Read the event log from record `first` on, page by page, to its end."""
        while True:
            page = self._request("LOG_READ", LogRead(first, LOG_PAGE), LogPage)
            if not page.records:
                return
            if page.records[0].seq < first:
                raise NoLink(f"{self.port}: the pump sends log records that were not asked for")
            yield from page.records
            first = page.records[-1].seq + 1

    def entry(self, txn: int) -> Entry | None:
        """Return what the tool's journal says of a transaction with this pump; None: nothing."""
        return self._journal.entry(txn, self.device().serial)

    def entries(self) -> list[Entry]:
        """Return what the tool's journal keeps of this pump, oldest first."""
        return self._journal.entries(self.device().serial)

    # --- actions --------------------------------------------------------------------------------

    def stop(self) -> Status:
        """Finish the stroke and stop. Acts on the first frame; repeating it is harmless.

        Raises Refused, or Uncertain without an answer.
        """
        try:
            status = self._seen(self._request("STOP", Empty(), Status))
            self.stopped = True
            return status
        except (NoLink, KeyboardInterrupt):
            raise Uncertain(f"{self.port}: no answer to STOP; repeat it") from None

    def prepare(self, op: TxnOp, parameters: Message, generation: int) -> Preview:
        """Stage a transaction and return what the pump would do.

        `generation` is `Status.generation` of the view it is based on. Raises Refused, with
        nothing changed in the pump: the transaction is over. Or NoLink: no COMMIT will follow, but
        the pump may have staged it, and may stand for it; it stays open for `settle`.
        """
        self._check_schema()
        if self._last_txn is None:
            self.status()
        encoded = codec.encode(parameters)
        pump = self.device().serial
        txn = self._journal.begin(op, encoded, pump, self.port, self._last_txn or 0, self.by)
        self._staged = {txn: Prepare(txn, op, SCHEMA_ID, generation, encoded)}
        try:
            return self._request("PREPARE", self._staged[txn], Preview)
        except Refused as refused:
            self._closed(txn, f"REFUSED {refused.code.name}")
            raise

    def renew(self, preview: Preview) -> Preview:
        """Stage the same transaction again, for a fresh token.

        Raises PreviewChanged when the pump would now do something else, Refused or NoLink.
        """
        return _unchanged(preview, self._staged_again(preview.txn))

    def commit(
        self,
        preview: Preview,
        before: Mapping[str, str] | None = None,
        warned: Sequence[str] = (),
    ) -> TxnResult:
        """Do what `preview` shows, once.

        The journal keeps `before`, what the pump held until then, and what was `warned` of.
        Raises Refused (nothing was done), PreviewChanged (nothing was done; the transaction is
        still open for review) or Uncertain (it may have been done).
        """
        self._journal.committing(preview.txn, before, warned)
        try:
            result = self._commit_answered(preview)
            self.committed.append((self._staged[preview.txn].op, result))
        except PreviewChanged:
            raise
        except Refused as refused:
            self._closed(preview.txn, f"REFUSED {refused.code.name}")
            raise
        except (NoLink, KeyboardInterrupt):
            raise Uncertain(
                f"{self.port}: no answer to the commit of transaction {preview.txn:016x}; it is "
                "done once or not at all: run status when the pump is in reach"
            ) from None
        self._last_txn = max(self._last_txn or 0, preview.txn)
        self._closed(preview.txn, result.state.name)
        return result

    def query(self, txn: int) -> TxnResult:
        """Ask how far a transaction is."""
        return self._request("QUERY", TxnRef(txn), TxnResult)

    def abort(self, txn: int) -> TxnResult:
        """Make the pump forget what was prepared; what is committed stays committed."""
        result = self._request("ABORT", TxnRef(txn), TxnResult)
        self._closed(txn, "ABORTED" if result.state in _ENDED_BEFORE else result.state.name)
        return result

    def settle(self) -> list[tuple[Entry, TxnResult]]:
        """Ask the pump for each transaction an earlier run left open; close and return them."""
        settled = []
        for entry in self._journal.open_entries(self.device().serial):
            result = self.query(entry.txn)
            if result.state is TxnState.PREPARED:
                self.abort(entry.txn)
            done = result.state not in _ENDED_BEFORE
            self._closed(entry.txn, result.state.name if done else "NOT_DONE")
            settled.append((entry, result))
        return settled

    def _closed(self, txn: int, result: str) -> None:
        """Save how it ended. What the pump did is no less true when that fails."""
        try:
            self._journal.close(txn, result)
        except JournalError as error:
            self.warn(f"{error}; the next command will ask the pump for {txn:016x} again")

    # --- commit ---------------------------------------------------------------------------------

    def _commit_answered(self, preview: Preview, may_renew: bool = True) -> TxnResult:
        """COMMIT until it is answered, then QUERY. Raises Refused, NoLink."""
        commit = Commit(preview.txn, preview.token, preview.hash)
        for repeat in range(1 + COMMIT_REPEATS):
            try:
                if repeat:
                    self._reopen()
                return self._call("COMMIT", commit, TxnResult)
            except NoLink:
                continue
            except Refused as refused:
                if refused.code not in _QUERY_AFTER:
                    raise
                return self._decided(preview, refused, may_renew)
        return self._decided(preview, None, may_renew)

    def _decided(self, preview: Preview, refused: Refused | None, may_renew: bool) -> TxnResult:
        """QUERY; when the pump has not done it, prepare and commit once more."""
        try:
            result = self.query(preview.txn)
        except Refused as denied:  # says nothing about the dose
            raise NoLink(str(denied)) from None
        if result.state not in _ENDED_BEFORE:
            return result
        if refused is not None and (refused.code not in _RENEW_AFTER or not may_renew):
            raise refused
        if not may_renew:
            raise NoLink(f"{self.port}: no answer to COMMIT")
        fresh = self._staged_again(preview.txn)
        if fresh.state is not TxnState.PREPARED:  # a COMMIT was still on its way
            return self.query(preview.txn)
        return self._commit_answered(_unchanged(preview, fresh), may_renew=False)

    def _staged_again(self, txn: int) -> Preview:
        return self._request("PREPARE", self._staged[txn], Preview)

    def _reopen(self) -> None:
        """Open the session again; while a COMMIT is in the balance, a refusal decides nothing."""
        try:
            self.open(self._role)
        except Refused as refused:
            raise NoLink(str(refused)) from None

    def _check_schema(self) -> None:
        if self.session is not None and self.session.schema_id != SCHEMA_ID:
            raise Refused(ErrorCode.SCHEMA, Refusal(0, SCHEMA_ID, self.session.schema_id))

    def _seen(self, status: Status) -> Status:
        self._last_txn = status.last_txn
        return status


def _unchanged(confirmed: Preview, fresh: Preview) -> Preview:
    """Return the fresh preview. Raises PreviewChanged when the pump would do something else."""
    if fresh.hash != confirmed.hash:
        raise PreviewChanged(fresh)
    return fresh
