"""The pages: each handler reads a form, calls a use case and renders the result."""
