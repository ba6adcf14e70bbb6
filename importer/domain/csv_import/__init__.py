"""Import rows from CSV: bytes to records, cells to values, rows to mailboxes and login methods."""
