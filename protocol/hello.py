"""The messages that open a session: bodies of the HELLO and HELLO_RSP frames, channel 0.

They are the same in every version of the protocol, so that two ends can say what they speak.
"""

from protocol.codec import TEXT, Message, message, wire
from protocol.codes import Role
from protocol.errors import ErrorCode


@message
class Hello(Message):
    """Opens a session: body of a HELLO frame on channel 0."""

    min_version: int = wire("B", doc="lowest protocol version the tool speaks")
    max_version: int = wire("B", doc="highest protocol version the tool speaks")
    suite: int = wire("B", doc="session suite: 0 clear; secured suites are to come")
    role: Role = wire("B", values=Role, doc="role wanted")
    max_payload: int = wire("H", unit="byte", doc="longest payload the tool takes")
    capabilities: int = wire("I", doc="capability bits; none defined yet, must be 0")
    nonce: int = wire("Q", doc="random, echoed")


@message
class HelloResponse(Message):
    """Answer to HELLO: body of a HELLO-RSP frame on channel 0. Result is an error code."""

    result: ErrorCode = wire("H", values=ErrorCode, doc="OK, TOO_OLD, TOO_NEW or UNSUPPORTED")
    version: int = wire("B", doc="protocol version chosen")
    suite: int = wire("B", doc="suite chosen")
    role: Role = wire("B", values=Role, doc="role granted")
    channel: int = wire("H", doc="channel of this session: random, 1..0xFFEF")
    boot_id: int = wire("H", doc="counts the pump's boots")
    rx_frames: int = wire("B", doc="frames the pump can buffer; 1 means wait for the response")
    max_payload: int = wire("H", unit="byte", doc="longest payload the pump takes")
    schema_id: int = wire("I", doc="CRC-32C of the message table")
    model: str = wire(TEXT, maximum=24, doc="profile the pump is made to")
    nonce: int = wire("Q", doc="the tool's nonce")
    pump_nonce: int = wire("Q", doc="the pump's own")
