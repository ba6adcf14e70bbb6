"""The pages: each reads a form, calls a use case, and shows what came of it."""
