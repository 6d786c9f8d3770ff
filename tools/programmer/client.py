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
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from protocol import codec
from protocol.codec import Message
from protocol.codes import Role, TxnOp, TxnState
from protocol.errors import ErrorCode, RemoteError
from protocol.framing import Frame, FrameType
from protocol.link import Initiator, LinkFailed
from protocol.messages import (
    MAX_PAYLOAD,
    Commit,
    DeviceInfo,
    Empty,
    Hello,
    HelloResponse,
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
from protocol.operations import (
    BY_NAME,
    PROTOCOL_VERSION,
    SCHEMA_ID,
    encode_request,
    split_response,
)
from tools.programmer.errors import NoLink, PreviewChanged, Refused, Uncertain
from tools.programmer.journal import Entry, Journal
from tools.programmer.transport import Transport

SUITE_CLEAR: Final = 0
COMMIT_REPEATS: Final = 3
"""Times an unanswered COMMIT is sent again before QUERY decides (protocol, idempotency)."""
BUSY_TRIES: Final = 20
"""Times a BUSY request is sent again: 10 s at the longest wait the pump may ask for."""
BUSY_MAX_MS: Final = 500
BUSY_USUAL_MS: Final = 20
"""Wait when a BUSY pump does not say how long."""
LOG_PAGE: Final = 14
"""Records asked for at a time: what fits a frame."""
_ENDED_BEFORE: Final = (TxnState.UNKNOWN, TxnState.PREPARED)
"""States in which the pump has not committed the transaction."""
_RENEW_AFTER: Final = (ErrorCode.SESSION_GONE, ErrorCode.EXPIRED)
"""Answers to COMMIT after which the same transaction is prepared again, if it was not done."""
_QUERY_AFTER: Final = (*_RENEW_AFTER, ErrorCode.BUSY, ErrorCode.NVM_FAIL)
"""Answers to COMMIT that do not say whether it was done."""
_NO_DETAIL: Final = Refusal(0, 0, 0)

M = TypeVar("M", bound=Message)


class Client:
    """The tool's end of one session. Not for use by two threads."""

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
        self.port = port
        self._baud = baud
        self.session: HelloResponse | None = None
        self._transport = transport
        self._journal = Journal(random_bits) if journal is None else journal
        self._random_bits = random_bits
        self._link = Initiator(baud)
        self._role = Role.CLINICIAN
        self._req_id = 0
        self._last_txn: int | None = None
        self._device: DeviceInfo | None = None
        self._staged: dict[int, Prepare] = {}
        self.answered: Callable[[str], None] = lambda name: None
        """Is told the name of each request that was answered."""

    # --- session --------------------------------------------------------------------------------

    def open(self, role: Role = Role.CLINICIAN) -> HelloResponse:
        """Open a session. Raises NoLink, or Refused when the versions or roles do not fit."""
        self._role = role
        self.session = None
        self._link = Initiator(self._baud)
        nonce = self._random_bits(64)
        hello = Hello(PROTOCOL_VERSION, PROTOCOL_VERSION, SUITE_CLEAR, role, MAX_PAYLOAD, 0, nonce)
        frame = self._exchange(FrameType.HELLO, 0, codec.encode(hello))
        response = self._decoded(HelloResponse, frame.payload)
        if response.result is not ErrorCode.OK:
            raise Refused(response.result, _NO_DETAIL)
        if response.nonce != nonce:
            raise NoLink(f"{self.port}: the answer to HELLO is not for this tool")
        if response.role is not role:
            raise Refused(ErrorCode.DENIED, _NO_DETAIL)
        self.session = response
        return response

    def close(self) -> None:
        """End the session, if there is one; delivery is not touched."""
        if self.session is None:
            return
        try:
            self._call("CLOSE", Empty(), Empty)
        except (NoLink, Refused):
            pass  # the pump's idle limit ends it
        finally:
            self.session = None

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

    # --- actions --------------------------------------------------------------------------------

    def stop(self) -> Status:
        """Finish the stroke and stop. Acts on the first frame; repeating it is harmless.

        Raises Refused, or Uncertain without an answer.
        """
        try:
            return self._seen(self._request("STOP", Empty(), Status))
        except (NoLink, KeyboardInterrupt):
            raise Uncertain(f"{self.port}: no answer to STOP; repeat it") from None

    def prepare(self, op: TxnOp, parameters: Message, generation: int) -> Preview:
        """Stage a transaction and return what the pump would do.

        `generation` is `Status.generation` of the view it is based on. Raises Refused, with
        nothing changed in the pump, or NoLink; either way the transaction is over.
        """
        self._check_schema()
        if self._last_txn is None:
            self.status()
        encoded = codec.encode(parameters)
        pump = self.device().serial
        txn = self._journal.begin(op, encoded, pump, self.port, self._last_txn or 0)
        self._staged = {txn: Prepare(txn, op, SCHEMA_ID, generation, encoded)}
        try:
            return self._request("PREPARE", self._staged[txn], Preview)
        except Refused as refused:
            self._journal.close(txn, f"REFUSED {refused.code.name}")
            raise
        except NoLink:
            self._journal.close(txn, "NOT_SENT")  # no COMMIT will follow
            raise

    def renew(self, preview: Preview) -> Preview:
        """Stage the same transaction again, for a fresh token.

        Raises PreviewChanged when the pump would now do something else, Refused or NoLink.
        """
        return _unchanged(preview, self._staged_again(preview.txn))

    def commit(self, preview: Preview) -> TxnResult:
        """Do what `preview` shows, once.

        Raises Refused (nothing was done), PreviewChanged (nothing was done; the transaction is
        still open for review) or Uncertain (it may have been done).
        """
        self._journal.committing(preview.txn)
        try:
            result = self._committed(preview)
        except PreviewChanged:
            raise
        except Refused as refused:
            self._journal.close(preview.txn, f"REFUSED {refused.code.name}")
            raise
        except (NoLink, KeyboardInterrupt):
            raise Uncertain(
                f"{self.port}: no answer to the commit of transaction {preview.txn:016x}; it is "
                "done once or not at all: run status when the pump is in reach"
            ) from None
        self._last_txn = max(self._last_txn or 0, preview.txn)
        self._journal.close(preview.txn, result.state.name)
        return result

    def query(self, txn: int) -> TxnResult:
        """Ask how far a transaction is."""
        return self._request("QUERY", TxnRef(txn), TxnResult)

    def abort(self, txn: int) -> TxnResult:
        """Make the pump forget what was prepared; what is committed stays committed."""
        result = self._request("ABORT", TxnRef(txn), TxnResult)
        self._journal.close(txn, "ABORTED" if result.state in _ENDED_BEFORE else result.state.name)
        return result

    def settle(self) -> list[tuple[Entry, TxnResult]]:
        """Ask the pump for each transaction an earlier run left open; close and return them."""
        settled = []
        for entry in self._journal.open_entries(self.device().serial):
            result = self.query(entry.txn)
            if result.state is TxnState.PREPARED:
                self.abort(entry.txn)
            done = result.state not in _ENDED_BEFORE
            self._journal.close(entry.txn, result.state.name if done else "NOT_DONE")
            settled.append((entry, result))
        return settled

    # --- commit ---------------------------------------------------------------------------------

    def _committed(self, preview: Preview, may_renew: bool = True) -> TxnResult:
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
        return self._committed(_unchanged(preview, fresh), may_renew=False)

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

    # --- requests -------------------------------------------------------------------------------

    def _request(self, name: str, body: Message, response: type[M]) -> M:
        """Call; when the pump has ended the session, open it again, once, and repeat."""
        try:
            return self._call(name, body, response)
        except Refused as refused:
            if refused.code is not ErrorCode.SESSION_GONE:
                raise
        self.open(self._role)
        return self._call(name, body, response)

    def _call(self, name: str, body: Message, response: type[M]) -> M:
        """Send one request and return its answer. Raises Refused, NoLink."""
        for _ in range(BUSY_TRIES):
            code, data = self._answered(name, body)
            if code is ErrorCode.OK:
                return self._decoded(response, data)
            refusal = self._decoded(Refusal, data) if data else _NO_DETAIL
            if code is not ErrorCode.BUSY:
                break
            self._pause(1000 * min(refusal.value or BUSY_USUAL_MS, BUSY_MAX_MS))
        raise Refused(code, refusal)

    def _answered(self, name: str, body: Message) -> tuple[ErrorCode, bytes]:
        if self.session is None:
            raise Refused(ErrorCode.SESSION_GONE, _NO_DETAIL)
        operation = BY_NAME[name]
        self._req_id = self._req_id + 1 & 0xFFFF
        payload = encode_request(operation, self._req_id, body)
        frame = self._exchange(FrameType.REQ, self.session.channel, payload)
        try:
            opcode, req_id, code, data = split_response(frame.payload)
        except RemoteError as error:
            raise NoLink(f"{self.port}: {error}") from None
        if (opcode, req_id) != (operation.opcode, self._req_id):
            raise NoLink(f"{self.port}: the pump answers another question")
        self.answered(name)
        return code, data

    def _decoded(self, message: type[M], data: bytes) -> M:
        try:
            return codec.decode(message, data)
        except RemoteError as error:
            known = self.session is None or self.session.schema_id == SCHEMA_ID
            why = "" if known else ", whose message table is not this tool's"
            raise NoLink(f"{self.port}: cannot read the pump's answer{why}: {error}") from None

    def _exchange(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        """Send a frame and return its answer; the link repeats what is lost. Raises NoLink."""
        try:
            return self._wait_for_answer(kind, channel, payload)
        except LinkFailed as error:
            self.session = None
            raise NoLink(f"{self.port}: {error}") from None
        except BaseException:  # an interrupt too: the next request must find the link free
            self._link.cancel()
            self.session = None
            raise

    def _wait_for_answer(self, kind: FrameType, channel: int, payload: bytes) -> Frame:
        link, transport = self._link, self._transport
        link.request(kind, channel, payload, transport.now_us())
        while True:
            if out := link.outgoing():
                transport.write(out)
            now_us = transport.now_us()
            deadline_us = link.deadline_us
            wait_us = 0 if deadline_us is None else max(0, deadline_us - now_us)
            data = transport.read(wait_us)
            now_us = transport.now_us()
            frame = link.receive(data, now_us) if data else None
            if frame is not None:
                return frame
            link.service(now_us)

    def _pause(self, wait_us: int) -> None:
        """Let time pass, throwing away what comes: with one request out, nothing is due."""
        until_us = self._transport.now_us() + wait_us
        while (left_us := until_us - self._transport.now_us()) > 0:
            self._transport.read(left_us)


def _unchanged(confirmed: Preview, fresh: Preview) -> Preview:
    """Return the fresh preview. Raises PreviewChanged when the pump would do something else."""
    if fresh.hash != confirmed.hash:
        raise PreviewChanged(fresh)
    return fresh
