"""Run one leg of an import: lease, connections, host limits and progress."""
