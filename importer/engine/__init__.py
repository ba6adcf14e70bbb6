"""The copy engine. It depends only on ports and domain."""
