"""The queue: Dramatiq on Redis or Valkey, an embedded Valkey, or a queue that does nothing."""
