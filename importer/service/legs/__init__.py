"""One leg of work on an import: its lease, connections, host limits and progress."""
