"""`bolus`, `prime` and `bridge`: doses that a clinician starts.

What will be given is shown in the pump's own whole strokes. Volumes of prime and bridge follow from
the catheter of the prescription; the pump works them out, and so does the programmer.
"""

import argparse
from fractions import Fraction

from protocol.codes import BolusKind, RateBasis, TxnOp
from protocol.messages import BolusParameters, Preview, Therapy
from tools import quantity
from tools.programmer import doses, limits, plausible, transact
from tools.programmer import format as text
from tools.programmer.client import Client
from tools.programmer.console import Console
from tools.programmer.transact import Job, Request, Values, dose_text, therapy_of
from tools.programmer.warnings import Caution


def single(args: argparse.Namespace) -> Job:
    """Return the job of `bolus`."""
    basis, amount = quantity.dose(args.amount)
    duration_us = quantity.duration_us(args.over) if args.over else 0
    parameters = BolusParameters(BolusKind.SINGLE, basis, amount, duration_us, int(args.again))

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, therapy = client.interrogate(), client.device(), therapy_of(client)
        beyond: list[str] = []
        cautions: list[Caution] = []
        if therapy is not None:
            cautions = plausible.of_bolus(parameters, therapy, device)
            passed = limits.of_bolus(parameters, therapy, device)
            beyond = limits.check(passed, therapy, args.override)

        def show(preview: Preview) -> str:
            volume_pl = preview.strokes * device.stroke_pl
            dose = dose_text(volume_pl, therapy)
            asked = (
                f"bolus: {dose} in {preview.strokes} strokes, "
                f"over {text.duration(preview.duration_us)} (asked for: {args.amount})"
            )
            return f"{asked}\n{_left(preview)}"

        request = Request(
            TxnOp.BOLUS, parameters, show, "give it?", cautions, args.override, beyond
        )
        return transact.carry_out(client, console, request, status)

    return job


def prime(args: argparse.Namespace) -> Job:
    """Return the job of `prime`."""
    kind = BolusKind.PRIME_CATHETER if args.catheter else BolusKind.PRIME
    parameters = BolusParameters(kind, RateBasis.VOLUME_PL, 0, 0, 0)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, device, therapy = client.interrogate(), client.device(), therapy_of(client)

        def show(preview: Preview) -> str:
            catheter = text.volume(doses.catheter_nl(therapy)) if therapy else "-"
            path = f"catheter {catheter}"
            if kind is BolusKind.PRIME:
                path = f"tubing {text.volume(device.tubing_nl)} and {path}"
            volume = text.volume(Fraction(preview.strokes * device.stroke_pl, 1000))
            return (
                f"prime {path}: {volume} in {preview.strokes} strokes, "
                f"over {text.duration(preview.duration_us)}; the basal pauses\n{_left(preview)}"
            )

        cautions = plausible.of_prime(kind, therapy, status, device)
        request = Request(TxnOp.BOLUS, parameters, show, "prime?", cautions, args.override)
        return transact.carry_out(client, console, request, status)

    return job


def bridge(args: argparse.Namespace) -> Job:
    """Return the job of `bridge`."""
    basis, amount = quantity.per_day(args.dose) if args.dose else (RateBasis.MASS_PG, 0)
    parameters = BolusParameters(BolusKind.BRIDGE, basis, amount, 0, 0)

    def job(client: Client, console: Console) -> tuple[int, Values]:
        status, therapy = client.interrogate(), therapy_of(client)

        def show(preview: Preview) -> str:
            hours = Fraction(preview.duration_us, 3600 * 10**6)
            rate_pl_h = preview.volume_nl * 1000 / hours if hours else Fraction(0)
            end = text.date_text(status.wall_s + preview.duration_us // 10**6)
            return (
                f"bridge: {text.volume(preview.volume_nl)} of the old solution at "
                f"{text.rate_day(rate_pl_h)}, for {text.duration(preview.duration_us)}, "
                f"until {end}\nthen the program starts by itself{_then(client, therapy)}; "
                f"no patient bolus meanwhile\n{_left(preview)}"
            )

        request = Request(TxnOp.BOLUS, parameters, show, "bridge?")
        return transact.carry_out(client, console, request, status)

    return job


def _then(client: Client, therapy: Therapy | None) -> str:
    if therapy is None:
        return ""
    return f" at {text.rate_day(doses.basal_pl_h(therapy, client.device()))}"


def _left(preview: Preview) -> str:
    left = text.millilitres(preview.computed_nl)
    return f"reservoir afterwards: {left}, less what the basal takes"
