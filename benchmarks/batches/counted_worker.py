"""A worker that writes the number of its database operations when it ends:

python -m benchmarks.batches.counted_worker COUNTS.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from importer.settings import Settings
from importer.worker import run
from tests.rehearsal.database_counts import counting


def main() -> None:
    """Runs the worker of this environment until SIGTERM."""
    with counting() as counts:
        run(Settings.load())
    Path(sys.argv[1]).write_text(
        json.dumps({**counts.figures(), "statements_by": dict(counts.by_first_words.most_common())}),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
