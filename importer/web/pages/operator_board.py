"""The operators' live board: all running work, and the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from importer.domain.import_state import ALIVE
from importer.domain.model import State
from importer.i18n.queue_texts import queue_text
from importer.i18n.state_texts import state_word
from importer.service.access.web_sessions import is_open
from importer.service.board import Board, BoardReader
from importer.web.event_streams import KEEP_ALIVE, RECONNECT, STREAM_LIFETIME_S, event_stream, parts_event
from importer.web.operator_views import operator_rows
from importer.web.pages.operator_access import SignedInOperator
from importer.web.rendering import page, rendered
from importer.web.request_context import Guest
from importer.web.view_models import TONES

router: Final = APIRouter()

SHOWN: Final = 100
"""Limit of imports on the board; the list has all."""

BOARD_EVERY_S: Final = 2.0
_STATES: Final = (State.RUNNING, State.QUEUED, State.WAITING, State.PAUSED)


@router.get("/operator")
def show_board(operator: SignedInOperator) -> Response:
    return page(operator, "operator_board.html", **_context(operator, _reader(operator)))


@router.get("/operator/live")
def poll_board(operator: SignedInOperator) -> Response:
    """The board in one response, for browsers without event streams."""
    return JSONResponse({"parts": _parts(operator, _reader(operator)), "over": False})


@router.get("/operator/events")
async def stream_board(operator: SignedInOperator) -> Response:
    return event_stream(operator, _stream(operator))


async def _stream(operator: Guest) -> AsyncGenerator[bytes, None]:
    """Server-sent events: the board whenever it has changed, while the session is open."""
    clock = asyncio.get_running_loop().time
    until, sent = clock() + STREAM_LIFETIME_S, b""
    reader, deps = _reader(operator), operator.visitor.site.deps
    yield RECONNECT
    while clock() < until and await asyncio.to_thread(is_open, deps, operator.session):
        event = parts_event(await asyncio.to_thread(_parts, operator, reader))
        yield KEEP_ALIVE if event == sent else event
        sent = event
        await asyncio.sleep(BOARD_EVERY_S)


def _reader(operator: Guest) -> BoardReader:
    return BoardReader(operator.visitor.site.deps)


def _parts(operator: Guest, reader: BoardReader) -> dict[str, str]:
    return {"board": rendered(operator, "_operator_board.html", **_context(operator, reader))}


def _context(operator: Guest, reader: BoardReader) -> dict[str, Any]:
    texts, deps, board = operator.visitor.texts, operator.visitor.site.deps, reader.read()
    numbers = {state: board.number(state) for state in _STATES}
    return {
        "tab": "board",
        "numbers": [
            (state, state_word(texts, state), TONES[state], number) for state, number in numbers.items()
        ],
        "queue": queue_text(texts, board.queue.due, board.queue_age(deps.clock.now())),
        "bytes_per_s": sum(rate.bytes_per_s for rate in board.rates.values()),
        "rows": operator_rows(deps, texts, board.imports[:SHOWN], board.rates),
        "left_out": _left_out(board),
        "held": board.maintenance,
    }


def _left_out(board: Board) -> int:
    """The number of running and waiting imports that the board does not show."""
    under_way = sum(board.number(state) for state in ALIVE & {State.RUNNING, State.WAITING})
    return max(0, under_way - min(SHOWN, len(board.imports)))
