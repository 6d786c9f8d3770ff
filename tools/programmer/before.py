"""What a pump held just before this tool changed it, so that a report can say before and after.

No pump keeps settings that have been replaced. So the tool reads them in the session in which it
replaces them and writes them into its transaction journal, in the write that marks the COMMIT as on
its way: whatever becomes of the tool then, the journal says what was there. Messages are kept as
they came over the wire; what a later version cannot read counts as not known.
"""

from dataclasses import dataclass

from protocol import codec
from protocol.errors import RemoteError
from protocol.messages import DeviceInfo, PrescriptionInfo, Status, Therapy
from tools.programmer.client import Client
from tools.programmer.clock_effect import Prescribed
from tools.programmer.journal import Entry


@dataclass(frozen=True, slots=True)
class Before:
    """One reading of a pump, of the generation that a transaction is based on."""

    status: Status
    prescription: PrescriptionInfo
    scheduled: PrescriptionInfo | None
    """Change that would have taken over; None: there was none."""

    @property
    def therapy(self) -> Therapy | None:
        """The committed therapy; None while nothing was prescribed."""
        return self.prescription.therapy if self.prescription.therapy.drugs else None

    def prescribed(self, device: DeviceInfo) -> Prescribed | None:
        """Return what the pump was to give, by its clock; None while nothing was prescribed."""
        if self.therapy is None:
            return None
        return Prescribed(self.therapy, self.scheduled, device)


def read(client: Client, status: Status) -> Before:
    """Read what goes with a status. The pump refuses a transaction that another has overtaken."""
    scheduled = client.pending() if status.pending_wall_s else None
    return Before(status, client.prescription(), scheduled)


def kept(before: Before) -> dict[str, str]:
    """Return it as the journal keeps it: encoded, hexadecimal."""
    messages = {
        "status": before.status,
        "prescription": before.prescription,
        "scheduled": before.scheduled,
    }
    return {name: codec.encode(one).hex() for name, one in messages.items() if one is not None}


def of(entry: Entry) -> Before | None:
    """Return what the pump held before a transaction of the journal; None: not known."""
    try:
        read = {name: bytes.fromhex(image) for name, image in entry.before.items()}
        scheduled = read.get("scheduled")
        return Before(
            codec.decode(Status, read["status"]),
            codec.decode(PrescriptionInfo, read["prescription"]),
            None if scheduled is None else codec.decode(PrescriptionInfo, scheduled),
        )
    except (AttributeError, KeyError, TypeError, ValueError, RemoteError):
        return None
