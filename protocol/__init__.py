"""The telemetry protocol: bytes to messages and back, with no I/O and no clock of its own.

    codes      event and alarm codes, modes, kinds: the numbers both ends share
    errors     refusals that cross the wire, and our own exceptions
    codec      dataclass fields to bytes, driven by the field table
    messages   every request, response and record: the table the public specification is made from
    crc, cobs, framing     one frame to wire bytes and back
    link       sequence, acknowledge, retry, duplicate answered with the first reply

Time comes in as an argument. The specification for other programs is `docs/protocol.md`.
"""
