"""Implementations of the ports. Adapters do not import one another."""
