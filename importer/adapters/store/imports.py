"""Batches and imports with their sealed grants and folder tallies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from importer.adapters.store import mapping
from importer.adapters.store.columns import folder_key
from importer.adapters.store.database import database_now, upsert
from importer.adapters.store.evidence_records import save_seal
from importer.adapters.store.import_lists import SqlImportLists, begins, following
from importer.adapters.store.outbox import post_notices
from importer.adapters.store.tables import batches, consents, folder_tallies, grants, imports, leases
from importer.adapters.store.webhook_calls import add_calls
from importer.domain import import_state
from importer.domain.evidence.evidence_file import Seal
from importer.domain.import_options import ImportOptions
from importer.domain.import_state import ALIVE
from importer.domain.model import Batch, BatchId, ControlRequest, Import, ImportId, Progress, Route, State
from importer.domain.receipts.folder_tally import FolderTally
from importer.ports.leases import Lease
from importer.ports.notices import Notice
from importer.ports.store import RouteUnderWay, SealedGrants
from importer.ports.webhook_calls import WebhookCall
from providers.errors import Side

if TYPE_CHECKING:
    from importer.domain.planning.fair_shares import LegQueue, Share

_IS_ALIVE: Final = imports.c.state.in_(sorted(ALIVE))
HAS_GRANTS: Final = (  # and has not ended; a foreground copy stores no grants
    _IS_ALIVE,
    imports.c.id.in_(select(grants.c.import_id)),
)
IS_PAUSED: Final = imports.c.state == State.PAUSED
_PENDING_REQUEST: Final = or_(  # a control request that was not applied yet
    imports.c.wish == ControlRequest.CANCEL,
    and_(imports.c.wish == ControlRequest.PAUSE, ~IS_PAUSED),
    and_(imports.c.wish.is_(None), IS_PAUSED),
)

_OWNER: Final = func.coalesce(batches.c.owner, "")
_HOST: Final = imports.c.source_host.label("host")
_HAD_LEG: Final = case((leases.c.name.is_(None), 0), else_=1)
_MESSAGES_LEFT: Final = case(
    (leases.c.name.is_(None), 0),
    else_=imports.c.progress["messages_total"].as_integer()
    - imports.c.progress["messages_done"].as_integer(),
)

# Built once: building a statement costs more than running it.
_BY_ID: Final = select(imports).where(imports.c.id == bindparam("of_import"))
_REQUESTS: Final = select(imports.c.id, imports.c.wish).where(
    imports.c.id.in_(bindparam("of_imports", expanding=True)), imports.c.wish.is_not(None)
)
_PROGRESS: Final = (
    update(imports).where(imports.c.id == bindparam("of_import")).values(progress=bindparam("reached"))
)


class SqlImports(SqlImportLists):
    """The methods that `importer.ports.store.Store` itself declares: batches, imports, grants and tallies.

    Methods that change an import raise LookupError if it does not exist.
    """

    def add_batch(self, batch: Batch, imports: Sequence[tuple[Import, SealedGrants | None]]) -> None:
        """Raises ValueError if the id of the batch or of an import already exists."""
        try:
            with self.writing() as connection:
                if connection.dialect.name == "postgresql":  # on SQLite the write lock is already held
                    connection.execute(text("LOCK TABLE batches IN EXCLUSIVE MODE"))
                _require_free_routes(
                    connection, batch.owner, [i.route for i, sealed in imports if sealed is not None]
                )
                submission = _add(connection, batch, imports)
                _note_successors(connection, batch.owner, submission)
        except IntegrityError as error:
            raise ValueError("the batch or one of its imports is already in the store") from error

    def batch(self, batch_id: BatchId) -> Batch | None:
        with self.reading() as connection:
            row = connection.execute(select(batches).where(batches.c.id == batch_id)).one_or_none()
            return None if row is None else mapping.batch(row)

    def batches(
        self,
        limit: int = 50,
        *,
        owner: str | None = None,
        ids: Sequence[BatchId] | None = None,
        beginning: str = "",
        after: BatchId | None = None,
    ) -> Sequence[Batch]:
        newest_first = (batches.c.created_at.desc(), batches.c.seq.desc())
        statement = select(batches).order_by(*newest_first).limit(limit)
        if after is not None:
            last = select(batches.c.created_at, batches.c.seq).where(batches.c.id == after).subquery()
            statement = statement.where(following(batches, last, descending=("created_at", "seq")))
        if owner is not None:
            statement = statement.where(batches.c.owner == owner)
        if ids is not None:
            statement = statement.where(batches.c.id.in_(ids))
        if beginning:
            statement = statement.where(begins(batches.c.id, beginning))
        with self.reading() as connection:
            return [mapping.batch(row) for row in connection.execute(statement)]

    def import_(self, import_id: ImportId) -> Import | None:
        with self.reading() as connection:
            row = connection.execute(_BY_ID, {"of_import": import_id}).one_or_none()
            return None if row is None else mapping.import_(row)

    def control_requests(self, ids: Sequence[ImportId]) -> Mapping[ImportId, ControlRequest]:
        with self.reading() as connection:
            rows = connection.execute(_REQUESTS, {"of_imports": ids})
            return {ImportId(row.id): ControlRequest(row.wish) for row in rows}

    def latest_import(self, route: Route, owner: str) -> Import | None:
        statement = (
            select(imports)
            .where(imports.c.route == route, _is_of(owner))
            .order_by(
                case((and_(*HAS_GRANTS), 0), else_=1), imports.c.created_at.desc(), imports.c.seq.desc()
            )
            .limit(1)
        )
        with self.reading() as connection:
            row = connection.execute(statement).one_or_none()
            return None if row is None else mapping.import_(row)

    def update_import(self, changed: Import, lease: Lease | None = None) -> None:
        with self.writing(lease) as connection:
            _change(connection, changed.id, mapping.changeable_values(changed))

    def note_proven(self, import_id: ImportId, password_fingerprint: str, lease: Lease) -> None:
        with self.writing(lease) as connection:
            connection.execute(
                update(imports)
                .where(imports.c.id == import_id, imports.c.password_mark == password_fingerprint)
                .values(proven=True)
            )

    def request_control(self, import_id: ImportId, request: ControlRequest | None) -> Import | None:
        changeable = or_(imports.c.wish.is_(None), imports.c.wish != ControlRequest.CANCEL)
        with self.writing() as connection:
            noted = (
                update(imports).where(imports.c.id == import_id, _IS_ALIVE, changeable).values(wish=request)
            )
            connection.execute(noted)
            row = connection.execute(select(imports).where(imports.c.id == import_id)).one_or_none()
            return None if row is None else mapping.import_(row)

    def choose_options(self, import_id: ImportId, options: ImportOptions) -> bool:
        has_grants = imports.c.id.in_(select(grants.c.import_id))
        with self.writing() as connection:
            changed = connection.execute(
                update(imports).where(imports.c.id == import_id, has_grants).values(options=options.as_json())
            )
            return bool(changed.rowcount)

    def finish_import(
        self,
        changed: Import,
        notices: Sequence[Notice],
        lease: Lease,
        *,
        password_fingerprint: str | None = None,
        options: ImportOptions | None = None,
        calls: Sequence[WebhookCall] = (),
        seal: Seal | None = None,
    ) -> bool:
        with self.writing(lease) as connection:
            columns = select(imports.c.password_mark, imports.c.options)
            stored = connection.execute(columns.where(imports.c.id == changed.id).with_for_update()).first()
            if stored is not None and (
                password_fingerprint not in (None, stored.password_mark)
                or (options is not None and _as_stored(stored.options) != _as_stored(options.as_json()))
            ):
                return False
            _change(connection, changed.id, mapping.changeable_values(changed))
            if changed.grants_kept_until is None:
                connection.execute(delete(grants).where(grants.c.import_id == changed.id))
            connection.execute(delete(consents).where(consents.c.import_id == changed.id))
            if seal is not None:
                save_seal(connection, changed.id, seal)
            post_notices(connection, notices)
            add_calls(connection, calls)
            return True

    def reopen_import(self, import_id: ImportId) -> Import | None:
        kept = and_(
            imports.c.id == import_id,
            imports.c.grants_kept_until.is_not(None),
            imports.c.id.in_(select(grants.c.import_id)),
        )
        with self.writing() as connection:
            statement = select(imports, func.coalesce(batches.c.owner, "").label("batch_owner"))
            with_owner = statement.outerjoin(batches, batches.c.seq == imports.c.submission)
            row = connection.execute(with_owner.where(kept).with_for_update(of=imports)).one_or_none()
            if row is None:
                return None
            _require_free_routes(connection, row.batch_owner, [Route(row.route)])
            reopened = replace(import_state.reopened(mapping.import_(row)), requested=None)
            values = {**mapping.changeable_values(reopened), "wish": None, "successor": None}
            _change(connection, import_id, values)
            return reopened

    def erase_kept_grants(self, import_id: ImportId) -> bool:
        with self.writing() as connection:
            kept = and_(imports.c.id == import_id, imports.c.grants_kept_until.is_not(None))
            erased = connection.execute(update(imports).where(kept).values(grants_kept_until=None))
            if erased.rowcount:
                connection.execute(delete(grants).where(grants.c.import_id == import_id))
            return bool(erased.rowcount)

    def imports_with_kept_grants(self, until: datetime, limit: int = 100) -> Sequence[Import]:
        over = imports.c.grants_kept_until <= until
        statement = select(imports).where(over).order_by(imports.c.grants_kept_until).limit(limit)
        with self.reading() as connection:
            return [mapping.import_(row) for row in connection.execute(statement)]

    def due_imports(self, now: datetime, limit: int = 100) -> Sequence[ImportId]:
        with self.reading() as connection:
            place = _place_in_owner(imports.c.created_at, imports.c.seq)
            due = select_due(connection, now).order_by(place, imports.c.created_at, imports.c.seq)
            statement = due.with_only_columns(imports.c.id).limit(limit)
            return [ImportId(id_) for id_ in connection.execute(statement).scalars()]

    def leg_queue(self, now: datetime, besides: Collection[ImportId] = ()) -> LegQueue:
        from importer.domain.planning.fair_shares import (  # noqa: PLC0415 - a copy starts without it
            LegQueue,
            Share,
        )

        with self.reading() as connection:
            held = _with_owner(imports.c.id, _HOST).where(*HAS_GRANTS, _is_held(database_now(connection)))
            running = {ImportId(row.id): Share(row.batch_owner, row.host) for row in connection.execute(held)}
            due = select_due(connection, now).where(imports.c.id.not_in(besides))
            by_share = due.with_only_columns(
                _OWNER.label("of_owner"),
                _HOST,
                func.count().label("number"),
                func.min(_HAD_LEG).label("had_leg"),
            ).group_by(_OWNER, imports.c.source_host)
            rows = connection.execute(by_share).all()
        return LegQueue(
            running,
            {Share(row.of_owner, row.host): row.number for row in rows},
            frozenset(Share(row.of_owner, row.host) for row in rows if not row.had_leg),
        )

    def next_leg(
        self,
        share: Share,
        now: datetime,
        besides: Collection[ImportId] = (),
        *,
        longest_waiting: bool = False,
    ) -> ImportId | None:
        # Without "" the planner may begin with the owner's batches.
        is_of_owner = batches.c.owner == share.owner if share.owner else _OWNER == ""
        # Rows of leases stay after their release: `expires_at` is about when the last leg ended.
        order = (
            (func.coalesce(leases.c.expires_at, imports.c.created_at),)
            if longest_waiting
            else (_HAD_LEG, _MESSAGES_LEFT, leases.c.expires_at)
        )
        with self.reading() as connection:
            due = select_due(connection, now).where(
                is_of_owner, imports.c.source_host == share.host, imports.c.id.not_in(besides)
            )
            order_by = due.order_by(*order, imports.c.created_at, imports.c.seq)
            chosen = connection.execute(order_by.limit(1)).first()
            return None if chosen is None else ImportId(chosen.id)

    def grants(self, import_id: ImportId) -> SealedGrants | None:
        return self.grants_by_import([import_id]).get(import_id)

    def grants_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, SealedGrants]:
        statement = select(grants).where(grants.c.import_id.in_(ids))
        with self.reading() as connection:
            rows = connection.execute(statement)
            return {ImportId(row.import_id): SealedGrants(row.source, row.destination) for row in rows}

    def replace_grants(
        self, import_id: ImportId, sealed: Mapping[Side, bytes], password_fingerprint: str
    ) -> bool:
        with self.writing() as connection:
            changed = connection.execute(
                update(imports)  # first: waits for a concurrent finish_import and then sees its result
                .where(imports.c.id == import_id, *HAS_GRANTS)
                .values(
                    password_mark=password_fingerprint,
                    proven=False,
                    not_before=case((IS_PAUSED, imports.c.not_before), else_=null()),
                )
            )
            if not changed.rowcount:
                return False
            if sealed:
                values = {side.value: grant for side, grant in sealed.items()}
                connection.execute(update(grants).where(grants.c.import_id == import_id).values(values))
            return True

    def save_tallies(
        self,
        import_id: ImportId,
        tallies: Collection[FolderTally],
        lease: Lease,
        *,
        progress: Progress | None = None,
    ) -> None:
        rows = [
            {"import_id": import_id, "source_key": folder_key(tally.source_folder)}
            | mapping.tally_values(tally)
            for tally in tallies
        ]
        if not rows and progress is None:
            return
        with self.writing(lease) as connection:
            if progress is not None:
                values = {"of_import": import_id, "reached": asdict(progress)}
                if connection.execute(_PROGRESS, values).rowcount == 0:
                    raise _unknown(import_id)
            elif connection.execute(select(imports.c.seq).where(imports.c.id == import_id)).first() is None:
                raise _unknown(import_id)
            if rows:
                connection.execute(upsert(connection, folder_tallies, "import_id", "source_key"), rows)

    def tallies(self, import_id: ImportId) -> Sequence[FolderTally]:
        return self.tallies_by_import([import_id]).get(import_id, ())

    def tallies_by_import(self, ids: Sequence[ImportId]) -> Mapping[ImportId, Sequence[FolderTally]]:
        statement = (
            select(folder_tallies).where(folder_tallies.c.import_id.in_(ids)).order_by(folder_tallies.c.seq)
        )
        found: dict[ImportId, list[FolderTally]] = defaultdict(list)
        with self.reading() as connection:
            for row in connection.execute(statement):
                found[ImportId(row.import_id)].append(mapping.tally(row))
        return dict(found)


def _as_stored(options: Mapping[str, str | bool]) -> ImportOptions:
    """The options as they are read: those that are not stored have their defaults."""
    return ImportOptions.from_json(options)


def _with_owner(*columns: ColumnElement[Any]) -> Select[Any]:
    """A query for these columns of imports with `batch_owner`, "" without a batch, joined with the lease if
    there was one."""
    return select(*columns, _OWNER.label("batch_owner")).select_from(
        imports.outerjoin(batches, batches.c.id == imports.c.batch_id).outerjoin(
            leases, leases.c.name == literal("import:", Text) + imports.c.id
        )
    )


def _is_held(now: ColumnElement[datetime]) -> ColumnElement[bool]:
    return and_(leases.c.owner.is_not(None), leases.c.expires_at > now)


def select_due(connection: Connection, now: datetime) -> Select[Any]:
    """The due imports with `batch_owner`."""
    held = func.coalesce(_is_held(database_now(connection)), false())
    return _with_owner(imports.c.id).where(
        *HAS_GRANTS,
        or_(imports.c.not_before.is_(None), imports.c.not_before <= now, _PENDING_REQUEST),
        ~held,
    )


def _place_in_owner(*order: ColumnElement[Any]) -> ColumnElement[int]:
    """The place of an import among those of its owner, from 1."""
    return func.row_number().over(partition_by=_OWNER, order_by=order)


def _is_of(owner: str) -> ColumnElement[bool]:
    """Whether the import was submitted by that owner."""
    submitted = select(batches.c.seq).where(batches.c.seq == imports.c.submission, batches.c.owner == owner)
    return submitted.exists()


def _require_free_routes(connection: Connection, owner: str, wanted: Sequence[Route]) -> None:
    under_way = (
        select(imports.c.route).where(imports.c.route.in_(wanted), _is_of(owner), *HAS_GRANTS).limit(1)
    )
    route = connection.execute(under_way).scalar()
    if route is not None:
        raise RouteUnderWay(route)


def _add(connection: Connection, batch: Batch, new: Sequence[tuple[Import, SealedGrants | None]]) -> int:
    """Return the number of the submission."""
    insertion = insert(batches).values(mapping.batch_values(batch)).returning(batches.c.seq)
    submission: int = connection.execute(insertion).scalar_one()
    if new:
        connection.execute(
            insert(imports), [mapping.import_values(i) | {"submission": submission} for i, _ in new]
        )
    sealed = [mapping.grant_values(i.id, secrets) for i, secrets in new if secrets is not None]
    if sealed:
        connection.execute(insert(grants), sealed)
    return submission


def _note_successors(connection: Connection, owner: str, submission: int) -> None:
    """The owner's imports that have ended, of the routes of this submission, are run again by it."""
    new = imports.alias("new")
    of_submission = select(new.c.route).where(new.c.submission == submission)
    by = select(func.min(new.c.id)).where(new.c.submission == submission, new.c.route == imports.c.route)
    connection.execute(
        update(imports)
        .where(
            imports.c.route.in_(of_submission),
            imports.c.submission != submission,
            imports.c.successor.is_(None),
            ~_IS_ALIVE,
            _is_of(owner),
        )
        .values(successor=by.scalar_subquery())
    )


def _change(connection: Connection, import_id: ImportId, values: dict[str, Any]) -> None:
    if connection.execute(update(imports).where(imports.c.id == import_id).values(values)).rowcount == 0:
        raise _unknown(import_id)


def _unknown(import_id: ImportId) -> LookupError:
    return LookupError(f"there is no import {import_id}")
