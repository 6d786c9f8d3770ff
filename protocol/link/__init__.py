"""The link: every request acts once, over a line that loses, damages and repeats.

Stop and wait. The tool is the `Initiator`: one request in flight, its frame repeated byte for byte
until its answer comes, 24 sends at most. The pump is the `Responder`: it hands a request up once
and answers a repetition of it with the first reply. Neither does I/O: bytes and the time go in,
bytes and frames come out, `deadline_us` says when `service` is due.

Each direction has its own `seq`. The answer to seq n carries ack = n + 1 and the channel of the
request.
"""

from protocol.link.end import LinkFailed, LinkStatistics, TransportError
from protocol.link.initiator import Initiator
from protocol.link.responder import Responder

__all__ = ["Initiator", "LinkFailed", "LinkStatistics", "Responder", "TransportError"]
