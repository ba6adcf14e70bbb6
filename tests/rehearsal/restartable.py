"""Test servers that can be stopped, killed and restarted."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod

from providers.endpoint import Endpoint
from tests.rehearsal.ports import listens, wait_until
from tests.rehearsal.processes import kill_group, stop_group


class Restartable(ABC):
    """A server in its own process group, listening at `imaps` and `starttls`."""

    imaps: Endpoint
    starttls: Endpoint
    _process: subprocess.Popen[bytes]

    @abstractmethod
    def _start(self) -> subprocess.Popen[bytes]: ...

    def stop(self) -> None:
        """Stop the server and its children, if running. The mail remains until the context ends."""
        stop_group(self._process)
        self._wait_until_gone()

    def kill(self) -> None:
        """Kill the server and its children with SIGKILL."""
        kill_group(self._process)
        self._wait_until_gone()

    def restart(self) -> None:
        """Start it again on the same ports and with the same mail, after `stop` or `kill`."""
        self.kill()
        self._process = self._start()

    def _wait_until_gone(self) -> None:
        # The children hold the ports too, and end a moment after the signal.
        ports = self.imaps.port, self.starttls.port
        wait_until(lambda: not any(listens(port) for port in ports), every_s=0.005)
