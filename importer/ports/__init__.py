"""What the engine and the use cases need from the world: Protocols only.

Every port has one contract suite in tests/contract, run against memory and every real implementation.
"""
