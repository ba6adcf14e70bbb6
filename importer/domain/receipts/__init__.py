"""Conclusions from receipts: folder history, split receipts, the undo report."""
