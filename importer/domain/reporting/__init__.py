"""Output about imports: totals, reports, explanations, checks, webhook events, formatting."""
