"""Import rows from a CSV file: bytes to records, cells to values, rows to routes and login methods."""
