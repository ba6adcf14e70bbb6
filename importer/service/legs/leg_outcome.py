"""Outcomes of a leg as values, by which `run_leg` decides the next state of the import."""

from __future__ import annotations

from datetime import datetime

from importer.domain.model import Problem
from providers.errors import MailError
from providers.frozen import frozen


@frozen
class Completed:
    """Every message that the source listed is in the tally and recounted."""


@frozen
class Unfinished:
    """Work is left: the leg's time was over, a person asked for a pause, or the process stops."""


@frozen
class CutOff:
    """The leg was ended in the middle of a command: for a reason as in Unfinished (`called_off`), or by its
    deadline."""

    called_off: bool = False


@frozen
class MailboxBusy:
    """Another import holds the lease of the destination mailbox. Nothing was begun."""


@frozen
class Postponed:
    """Work is left, but a host must not be contacted before `until`. No failure."""

    problem: Problem
    until: datetime


@frozen
class MailTrouble:
    """A mail host, or the way to it, ended the leg. The retry policy decides what follows."""

    error: MailError


@frozen
class OwnFault:
    """Our own disk is full, or our database was lost; `reason` is for the operator."""

    problem: Problem
    reason: str


@frozen
class Defect:
    """An error of our own."""

    error: Exception


LegOutcome = Completed | Unfinished | CutOff | MailboxBusy | Postponed | MailTrouble | OwnFault | Defect
