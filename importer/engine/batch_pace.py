"""The size of the next batch, by the time that the last one took."""

from __future__ import annotations

import math
import sys

from importer.domain.planning.server_limits import BATCH_S
from providers.errors import Side


class BatchPace:
    """The number of messages that a lane reads, or stores, in BATCH_S, by the last batch of any lane.
    Thread-safe."""

    def __init__(self) -> None:
        self._most = {Side.SOURCE: sys.maxsize, Side.DESTINATION: sys.maxsize}

    def took(self, side: Side, messages: int, seconds: float) -> None:
        """A batch of so many messages was read, or stored, in that time."""
        if messages and seconds > 0:
            self._most[side] = math.ceil(messages * BATCH_S / seconds)

    @property
    def most_messages(self) -> int:
        """For the next batch: as many as the slower side manages."""
        return min(self._most.values())
