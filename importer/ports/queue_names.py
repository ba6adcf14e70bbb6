"""Names of queues and actors: the contract between the processes that ring and the workers.

Messages are built from these names, so a process that rings needs no actor. `importer.worker` declares
`run_leg(import_id)` on queue `legs` and `send_mail()` on queue `mail`.
"""

from __future__ import annotations

from typing import Final

LEGS: Final = "legs"
MAIL: Final = "mail"
RUN_LEG: Final = "run_leg"
SEND_MAIL: Final = "send_mail"
