"""A hostile IMAP server with endless, huge, slow and false responses, each selected by name.

`python -m tests.rehearsal.hostile NAME` runs one on a port of its own; without a name it lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from providers.endpoint import Security
from tests.rehearsal.hostile import endless, huge, lies, slow
from tests.rehearsal.hostile.attack import Attack
from tests.rehearsal.scripted import ScriptedServer, scripted_server

ATTACKS: Final[dict[str, Attack]] = {
    attack.name: attack for module in (endless, huge, slow, lies) for attack in module.ATTACKS
}


@contextmanager
def hostile_server(
    name: str,
    *,
    certificate: tuple[Path, Path] | None = None,
    security: Security = Security.PLAINTEXT,
) -> Iterator[ScriptedServer]:
    """Run the server with one of ATTACKS."""
    attack = ATTACKS[name]
    with scripted_server(
        attack.answer, greeting=attack.greeting, certificate=certificate, security=security
    ) as server:
        yield server
