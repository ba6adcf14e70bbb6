"""Ports in plain memory: for tests, and as the shortest description of what a port must do."""
