"""The facts that receipts add up to: folder history, split receipts, the undo report."""
