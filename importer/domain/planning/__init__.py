"""Pure decisions about transfers: message batches, host allowances, retry policy, time estimates."""
