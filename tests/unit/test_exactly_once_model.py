"""A model check of the transaction: in no order of events does one wish make two deliveries.

An explicit-state search over everything that can happen to one dose. A message once sent stays in
the network for ever: it may arrive at any time, any number of times, in any order, or never. The
tool may crash at any point, and the pump may lose what it had staged at any point, by a crash or
because it expired. Journaling and starting is one atomic step of the pump, as in the firmware. The
search is bounded by the numbers below: tokens the pump gives, times the tool asks, wishes.

The tool follows the protocol: save txn, PREPARE, COMMIT with the token it got; without an answer
it repeats, prepares again or asks QUERY; after a crash it asks about the txn it had saved. The
answer UNKNOWN lets it close the txn as not done, and the human wishes anew, under a new txn.

Each mutant leaves out one part of the scheme. The search must find its double delivery: that shows
that the part is needed, and that the search can see one.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

MAX_TOKENS = 3
MAX_QUERIES = 3
MAX_WISHES = 2

Message = tuple[str | int, ...]
TO_PUMP = ("PREPARE", "COMMIT", "QUERY")
IDLE, PREPARING, COMMITTING, ASKING, DONE = "idle", "preparing", "committing", "asking", "done"


class Scheme(NamedTuple):
    """The protocol, or a mutant of it."""

    tool_saves_txn: bool = True
    pump_has_journal: bool = True
    journal_knows_txn: bool = True


class State(NamedTuple):
    """Tool, pump and network at one moment."""

    phase: str = IDLE
    txn: int = 0
    token: int = 0
    saved_txn: int = 0
    wishes: int = 0
    queries: int = 0
    staged: tuple[int, int] = (0, 0)
    """The pump's RAM: txn and token; (0, 0): nothing."""
    journal: frozenset[tuple[int, int]] = frozenset()
    tokens: int = 0
    delivered: int = 0
    network: frozenset[Message] = frozenset()


def sending(state: State, *message: str | int, **changes: object) -> State:
    return state._replace(network=state.network | {message}, **changes)  # type: ignore[arg-type]


# --- the tool -----------------------------------------------------------------------------------


def tool_steps(state: State, scheme: Scheme) -> Iterator[State]:
    """Yield what the tool may do by itself."""
    if state.phase == IDLE and state.wishes < MAX_WISHES:
        txn = state.wishes + 1
        saved = txn if scheme.tool_saves_txn else 0
        yield sending(state, "PREPARE", txn, phase=PREPARING, txn=txn, wishes=txn, saved_txn=saved)
    if state.phase in (PREPARING, COMMITTING) and state.queries < MAX_QUERIES:
        yield asking(state)
    if state.phase == COMMITTING:
        yield state._replace(phase=PREPARING)
    if state.phase not in (IDLE, DONE):
        yield from crashed(state)


def crashed(state: State) -> Iterator[State]:
    """Yield the tool's next start: it asks about what it had saved, or knows of nothing."""
    if not state.saved_txn:
        yield state._replace(phase=IDLE, txn=0, token=0)
    elif state.queries < MAX_QUERIES:
        yield asking(state._replace(txn=state.saved_txn, token=0))


def asking(state: State) -> State:
    number = state.queries + 1
    return sending(state, "QUERY", state.txn, number, phase=ASKING, queries=number)


def tool_receives(state: State, message: Message) -> Iterator[State]:
    kind, txn, *rest = message
    if txn != state.txn:
        return
    if kind == "PREVIEW" and state.phase == PREPARING:
        yield sending(state, "COMMIT", txn, rest[0], phase=COMMITTING, token=rest[0])
    elif kind == "RESULT" and state.phase in (PREPARING, COMMITTING):
        yield state._replace(phase=DONE)
    elif state.phase == ASKING and rest and rest[0] == state.queries:
        if kind == "COMMITTED":
            yield state._replace(phase=DONE)
        elif kind in ("UNKNOWN", "PREPARED"):
            yield sending(state, "PREPARE", txn, phase=PREPARING)
        if kind == "UNKNOWN":
            yield state._replace(phase=IDLE, txn=0, token=0, saved_txn=0)


# --- the pump -----------------------------------------------------------------------------------


def pump_steps(state: State) -> Iterator[State]:
    """Yield what may happen to the pump by itself: what is staged expires, or is lost."""
    if state.staged != (0, 0):
        yield state._replace(staged=(0, 0))


def pump_receives(state: State, message: Message, scheme: Scheme) -> Iterator[State]:
    kind, txn, *rest = message
    known = any(entry[0] == txn for entry in state.journal) and scheme.journal_knows_txn
    if kind == "PREPARE":
        if known:
            yield sending(state, "RESULT", txn)
        elif state.tokens < MAX_TOKENS:
            token = state.tokens + 1
            yield sending(state, "PREVIEW", txn, token, tokens=token, staged=(txn, token))
    elif kind == "COMMIT":
        entry = (int(txn), int(rest[0]))
        if known or entry in state.journal:
            yield sending(state, "RESULT", txn)
        elif entry == state.staged:
            yield sending(state, "RESULT", txn, **delivery(state, entry, scheme))
    elif kind == "QUERY":
        staged = "PREPARED" if state.staged[0] == txn else "UNKNOWN"
        yield sending(state, "COMMITTED" if known else staged, txn, rest[0])


def delivery(state: State, entry: tuple[int, int], scheme: Scheme) -> dict[str, object]:
    """Return what one atomic commit changes: journal and start together."""
    journal = state.journal | {entry} if scheme.pump_has_journal else state.journal
    return {"staged": (0, 0), "journal": journal, "delivered": state.delivered + 1}


# --- the search ---------------------------------------------------------------------------------


def successors(state: State, scheme: Scheme) -> Iterator[State]:
    yield from tool_steps(state, scheme)
    yield from pump_steps(state)
    for message in state.network:
        if message[0] in TO_PUMP:
            yield from pump_receives(state, message, scheme)
        else:
            yield from tool_receives(state, message)


def reachable(scheme: Scheme) -> Iterator[State]:
    """Yield every state once."""
    first = State()
    seen, open_states = {first}, [first]
    while open_states:
        state = open_states.pop()
        yield state
        for after in successors(state, scheme):
            if after not in seen:
                seen.add(after)
                open_states.append(after)


@pytest.mark.requirement("R-219")
def test_the_full_scheme_delivers_at_most_once_in_every_state() -> None:
    states = done = 0
    for state in reachable(Scheme()):
        states += 1
        done += state.phase == DONE
        assert state.delivered <= 1, state
        if state.phase == DONE:
            assert state.delivered == 1, state
    assert states > 50_000
    assert done > 1_000


@pytest.mark.parametrize(
    "mutant",
    [
        Scheme(tool_saves_txn=False),
        Scheme(pump_has_journal=False),
        Scheme(journal_knows_txn=False),
    ],
    ids=["tool does not save txn", "pump has no journal", "journal knows its own token only"],
)
def test_without_any_one_part_it_delivers_twice(mutant: Scheme) -> None:
    assert any(state.delivered > 1 for state in reachable(mutant))
