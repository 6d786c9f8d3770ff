"""Whether what the pump has stored is what it was sent."""

from protocol.messages import ProgramParameters
from tools.programmer.client import Client


def equal(client: Client, sent: ProgramParameters) -> bool:
    """Read the prescription, or the scheduled change, and compare all of it."""
    if not sent.at_wall_s:
        return client.prescription().therapy == sent.therapy
    read = client.pending()
    return (read.pending_wall_s, read.therapy) == (sent.at_wall_s, sent.therapy)
