"""The raw limit of a batch: one connection to each side for each mailbox, prepared bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.batches.works import BatchWork
from benchmarks.copiers import Login
from benchmarks.raw_limit import Probe


@contextmanager
def prepared(
    work: BatchWork, sources: Sequence[Login], destinations: Sequence[Login]
) -> Iterator[list[Probe]]:
    """A probe for each mailbox, logged in, with its folders created."""
    probes: list[Probe] = []
    try:
        for kind, old, new in zip(work.kinds, sources, destinations, strict=True):
            probe = Probe(kind.work, kind.messages, 1)
            probes.append(probe)
            probe.prepare_upload(new)
            probe.prepare_download(old)
        yield probes
    finally:
        for probe in probes:
            probe.close()


def run(probe: Probe) -> None:
    """Upload and download of one mailbox at the same time. Raises RawLimitError or OSError."""
    with ThreadPoolExecutor(len(probe.work)) as threads:
        for part in [threads.submit(work) for work in probe.work]:
            part.result()
