"""How a leg ended, as values: `run_leg` decides the import's next state by them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from importer.domain.model import Problem
from providers.errors import MailError


@dataclass(frozen=True, slots=True)
class Completed:
    """Every message that the source listed is in the tally and recounted."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Work is left: the leg's time was over, a person asked for a pause, or the process stops."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """The leg was ended in the middle of a command: for a reason as in Unfinished (`called_off`), or by its
    deadline."""

    called_off: bool = False


@dataclass(frozen=True, slots=True)
class MailboxBusy:
    """Another import holds the lease of the destination mailbox. Nothing was begun."""


@dataclass(frozen=True, slots=True)
class Postponed:
    """Work is left, but a host must not be contacted before `until`. No failure."""

    problem: Problem
    until: datetime


@dataclass(frozen=True, slots=True)
class MailTrouble:
    """A mail host, or the way to it, ended the leg. The retry policy decides what follows."""

    error: MailError


@dataclass(frozen=True, slots=True)
class OwnFault:
    """Our own disk is full, or our database was lost; `reason` is for the operator."""

    problem: Problem
    reason: str


@dataclass(frozen=True, slots=True)
class Defect:
    """An error of our own."""

    error: Exception


LegOutcome = Completed | Unfinished | CutOff | MailboxBusy | Postponed | MailTrouble | OwnFault | Defect
