"""One session with a pump: requests over the link, and their answers.

`Session` runs over any `Transport`. The link repeats what the line loses; a BUSY pump is asked
again; a session that the pump has ended is opened again, once. What is asked is `Client`'s matter.
"""

import secrets
from collections.abc import Callable
from typing import Final, TypeVar

from protocol import codec
from protocol.codec import Message
from protocol.codes import Role
from protocol.errors import ErrorCode, RemoteError
from protocol.framing import Frame, FrameType
from protocol.hello import Hello, HelloResponse
from protocol.link import Initiator, LinkFailed
from protocol.messages import MAX_PAYLOAD, Empty, Refusal
from protocol.operations import (
    BY_NAME,
    PROTOCOL_VERSION,
    SCHEMA_ID,
    encode_request,
    split_response,
)
from tools.programmer.errors import NoLink, Refused
from tools.programmer.transport import Transport

SUITE_CLEAR: Final = 0
BUSY_TRIES: Final = 20
"""Times a BUSY request is sent again: 10 s at the longest wait the pump may ask for."""
BUSY_MAX_MS: Final = 500
BUSY_USUAL_MS: Final = 20
"""Wait when a BUSY pump does not say how long."""
CLOSE_WAIT_US: Final = 1_000_000
"""CLOSE is a courtesy: nobody waits longer for its answer."""
_NO_DETAIL: Final = Refusal(0, 0, 0)

M = TypeVar("M", bound=Message)


class Session:
    """The tool's end of one session. Not for use by two threads."""

    def __init__(
        self,
        transport: Transport,
        *,
        port: str = "the port",
        baud: int = 115_200,
        random_bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        """`port` is what messages call the other end.

        `baud` sets the repetition timer; ports without one are fast.
        """
        self.port = port
        self._baud = baud
        self.session: HelloResponse | None = None
        self._transport = transport
        self._random_bits = random_bits
        self._link = Initiator(baud)
        self._role = Role.CLINICIAN
        self._req_id = 0
        self.answered: Callable[[str], None] = lambda name: None
        """Is told the name of each request that was answered."""

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
        """End the session, if there is one; delivery is not touched.

        An answer is waited for `CLOSE_WAIT_US` at most: the pump's idle limit ends it too.
        """
        if self.session is None:
            return
        try:
            self._answered("CLOSE", Empty(), CLOSE_WAIT_US)
        except NoLink:
            pass
        finally:
            self.session = None

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

    def _answered(
        self, name: str, body: Message, longest_us: int | None = None
    ) -> tuple[ErrorCode, bytes]:
        if self.session is None:
            raise Refused(ErrorCode.SESSION_GONE, _NO_DETAIL)
        operation = BY_NAME[name]
        self._req_id = self._req_id + 1 & 0xFFFF
        payload = encode_request(operation, self._req_id, body)
        frame = self._exchange(FrameType.REQ, self.session.channel, payload, longest_us)
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

    def _exchange(
        self, kind: FrameType, channel: int, payload: bytes, longest_us: int | None = None
    ) -> Frame:
        """Send a frame and return its answer; the link repeats what is lost. Raises NoLink.

        `longest_us` ends the wait before the link gives up.
        """
        try:
            self._link.request(kind, channel, payload, self._transport.now_us())
            return self._wait_for_answer(longest_us)
        except LinkFailed as error:
            self.session = None
            raise NoLink(f"{self.port}: {error}") from None
        except BaseException:  # an interrupt too: the next request must find the link free
            self._link.cancel()
            self.session = None
            raise

    def _wait_for_answer(self, longest_us: int | None) -> Frame:
        link, transport = self._link, self._transport
        until_us = None if longest_us is None else transport.now_us() + longest_us
        while True:
            if out := link.outgoing():
                transport.write(out)
            now_us = transport.now_us()
            if until_us is not None and now_us >= until_us:
                raise NoLink(f"{self.port}: no answer in time")
            due_us = [at_us for at_us in (link.deadline_us, until_us) if at_us is not None]
            data = transport.read(max(0, min(due_us, default=now_us) - now_us))
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
