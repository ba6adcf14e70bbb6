"""The queue: Dramatiq on Redis or Valkey, an embedded Valkey, or none."""
