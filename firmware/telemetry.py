"""The pump's end of telemetry: one session, one request at a time, one reply each.

Until the secured session exists, HELLO of suite 0 opens a session in the clear with the role asked
for, on a random channel; CLOSE, another HELLO or the idle limit ends it. The end of a session
changes nothing of the delivery. Each operation's roles come from the operation table.
"""

from collections.abc import Callable
from typing import Any, Final

from firmware.alarms import NEVER_US
from firmware.checks import Refused
from hal.board import Board
from protocol import codec
from protocol.codec import Message
from protocol.codes import Role
from protocol.errors import ErrorCode, RemoteError
from protocol.framing import SESSION_MAX_CHANNEL, Frame, FrameType
from protocol.hello import Hello, HelloResponse
from protocol.link import Responder
from protocol.messages import MAX_PAYLOAD, Empty, Refusal
from protocol.operations import (
    BY_OPCODE,
    PROTOCOL_VERSION,
    SCHEMA_ID,
    Operation,
    encode_response,
    split_request,
)

IDLE_US: Final = {Role.PATIENT: 30_000_000}
"""A session without a request ends after this (protocol timers); others:"""
IDLE_DEFAULT_US: Final = 180_000_000
RX_FRAMES: Final = 1
"""Requests the pump can hold: one, so the tool waits for each response."""
_CLEAR_SUITE: Final = 0
_READ_BYTES: Final = 1024
_OUT_MAX: Final = 4096
"""Bytes waiting for a radio that does not take them; more are lost, and asked for again."""

Reply = Callable[[ErrorCode, Message], None]
Handler = Callable[[Any, Reply], None]
"""Handles a request's body: replies once, now or later, or raises Refused."""


class Telemetry:
    """Session and dispatch."""

    def __init__(
        self,
        board: Board,
        model: str,
        boot_id: int,
        handlers: dict[str, Handler],
        on_refusal: Callable[[Operation, ErrorCode, bytes], None],
    ) -> None:
        """`handlers` maps an operation's name to what does it."""
        self._clock = board.clock
        self._radio = board.telemetry
        self._entropy = board.entropy
        self._model = model
        self._boot_id = boot_id
        self._handlers = handlers
        self._on_refusal = on_refusal
        self.link = Responder()
        self._out = bytearray()
        self._channel = 0
        self.role = Role.NONE
        """Who is talking."""
        self._idle_at_us = NEVER_US
        self._request = 0
        """Counts requests: a reply that comes after another request has displaced its own."""

    @property
    def timer_us(self) -> int:
        """When `service` must be called."""
        deadline_us = self.link.deadline_us
        return self._idle_at_us if deadline_us is None else min(deadline_us, self._idle_at_us)

    def receive(self) -> None:
        """Take what the radio has."""
        while data := self._radio.read(_READ_BYTES):
            for frame in self.link.receive(data, self._clock.now_us()):
                self._request += 1
                if frame.type is FrameType.HELLO:
                    self._hello(frame)
                elif frame.type is FrameType.REQ:
                    self._requested(frame)
        self.flush()

    def service(self, now_us: int) -> None:
        """Drop a partial frame, end an idle session."""
        self.link.service(now_us)
        if now_us >= self._idle_at_us:
            self._end_session()
        self.flush()

    def flush(self) -> None:
        """Give the radio what it takes."""
        self._out += self.link.outgoing()
        if self._out:
            del self._out[_OUT_MAX:]
            taken = self._radio.write(bytes(self._out))
            del self._out[:taken]

    # --- session --------------------------------------------------------------------------------

    def _hello(self, frame: Frame) -> None:
        try:
            hello = codec.decode(Hello, frame.payload)
        except RemoteError:
            return
        result = _judge(hello)
        self._end_session()
        if result is ErrorCode.OK:
            self.role = hello.role
            self._channel = 1 + int.from_bytes(self._entropy.read(4), "little") % (
                SESSION_MAX_CHANNEL
            )
            self._touch()
        answer = HelloResponse(
            result=result,
            version=PROTOCOL_VERSION,
            suite=_CLEAR_SUITE,
            role=self.role,
            channel=self._channel,
            boot_id=self._boot_id,
            rx_frames=RX_FRAMES,
            max_payload=MAX_PAYLOAD,
            schema_id=SCHEMA_ID,
            model=self._model,
            nonce=hello.nonce,
            pump_nonce=int.from_bytes(self._entropy.read(8), "little"),
        )
        self.link.answer(FrameType.HELLO_RSP, frame.channel, codec.encode(answer))

    def _touch(self) -> None:
        self._idle_at_us = self._clock.now_us() + IDLE_US.get(self.role, IDLE_DEFAULT_US)

    def _end_session(self) -> None:
        self._channel = 0
        self.role = Role.NONE
        self._idle_at_us = NEVER_US

    # --- requests -------------------------------------------------------------------------------

    def _requested(self, frame: Frame) -> None:
        try:
            opcode, req_id, body = split_request(frame.payload)
        except RemoteError:
            self._respond(frame, 0, 0, ErrorCode.MALFORMED, Refusal(0, 0, 0))
            return
        operation = BY_OPCODE.get(opcode)
        ticket = self._request

        def reply(code: ErrorCode, message: Message) -> None:
            if ticket == self._request:
                self._respond(frame, opcode, req_id, code, message)
                self.flush()

        try:
            self._perform(frame, operation, body, reply)
        except Refused as refused:
            if operation is not None:
                self._on_refusal(operation, refused.code, body)
            reply(refused.code, Refusal(refused.id, refused.value, refused.limit))

    def _perform(
        self, frame: Frame, operation: Operation | None, body: bytes, reply: Reply
    ) -> None:
        if not self._channel or frame.channel != self._channel:
            raise Refused(ErrorCode.SESSION_GONE)
        self._touch()
        if operation is None:
            raise Refused(ErrorCode.UNSUPPORTED)
        if self.role not in operation.roles:
            raise Refused(ErrorCode.DENIED)
        try:
            request = codec.decode(operation.request, body)
        except RemoteError:
            raise Refused(ErrorCode.MALFORMED) from None
        if operation.name == "CLOSE":
            reply(ErrorCode.OK, Empty())
            self._end_session()
        else:
            self._handlers[operation.name](request, reply)

    def _respond(
        self, frame: Frame, opcode: int, req_id: int, code: ErrorCode, message: Message
    ) -> None:
        payload = encode_response(opcode, req_id, code, message)
        self.link.answer(FrameType.RSP, frame.channel, payload)


def _judge(hello: Hello) -> ErrorCode:
    if hello.max_version < PROTOCOL_VERSION:
        return ErrorCode.TOO_OLD
    if hello.min_version > PROTOCOL_VERSION:
        return ErrorCode.TOO_NEW
    if hello.suite != _CLEAR_SUITE or hello.role in (Role.NONE, Role.EMERGENCY):
        return ErrorCode.UNSUPPORTED
    return ErrorCode.OK
