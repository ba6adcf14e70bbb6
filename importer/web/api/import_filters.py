"""The query parameters that select imports, shared by all resources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeAlias

from fastapi import Depends, Query

from importer.domain.import_filter import ImportFilter
from importer.domain.model import BatchId, State
from importer.service.access.api_clients import owner_filter
from importer.web.api.authentication import ApiCaller

_MAX_CHARS = 320


@dataclass(frozen=True, slots=True)
class ChosenImports:
    """The parameters as given."""

    state: Annotated[list[State] | None, Query(description="May be repeated.")] = None
    batch: Annotated[str, Query(max_length=64, description="The id of a batch.")] = ""
    address: Annotated[
        str, Query(max_length=_MAX_CHARS, description="A part of one of the two addresses.")
    ] = ""
    owner: Annotated[
        str,
        Query(
            max_length=_MAX_CHARS,
            description="A part of the owner or submitter of the batch; `console`: of the console, too.",
        ),
    ] = ""
    host: Annotated[str, Query(max_length=_MAX_CHARS, description="The name of one of the two servers.")] = ""
    domain: Annotated[
        str, Query(max_length=_MAX_CHARS, description="The domain of one of the two addresses.")
    ] = ""
    reason: Annotated[
        str, Query(max_length=64, description="The code of the problem why it waits or has stopped.")
    ] = ""
    search: Annotated[
        str,
        Query(
            max_length=_MAX_CHARS,
            description="A part of an address, a server, or the name, owner or submitter of the batch; or the"
            " beginning of the id.",
        ),
    ] = ""
    created_before: Annotated[datetime | None, Query(description="UTC unless a zone is given.")] = None
    created_after: Annotated[datetime | None, Query(description="UTC unless a zone is given.")] = None

    def of(self, caller: ApiCaller) -> ImportFilter:
        """The filter, restricted to the imports that the token may see."""
        return ImportFilter(
            owner=owner_filter(caller.token),
            states=tuple(self.state or ()),
            batch_id=BatchId(self.batch) if self.batch else None,
            address=self.address,
            submitted_by=self.owner,
            host=self.host,
            domain=self.domain,
            reason=self.reason,
            words=self.search,
            created_before=_aware(self.created_before),
            created_after=_aware(self.created_after),
        )


Chosen: TypeAlias = Annotated[ChosenImports, Depends()]


def _aware(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)
