"""Pages of `docs/` that are made from the code: `make document` writes them, a test compares them."""
