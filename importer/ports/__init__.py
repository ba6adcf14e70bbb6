"""The interfaces that the engine and the use cases depend on: Protocols and their value types.

Every port has one contract suite in tests/contract, run against the in-memory fake and every real
implementation.
"""
