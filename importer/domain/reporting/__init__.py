"""Everything that is reported: totals, reports, explanations, checks, webhook events, formatting."""
