"""Pages of `docs/` that are generated from the code: `make document` writes them, a test compares them."""
