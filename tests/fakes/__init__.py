"""Ports in plain memory, with faults on demand. Each passes the contract suite of its port."""
