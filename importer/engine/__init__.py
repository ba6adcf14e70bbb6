"""The copy itself, over ports and domain and nothing else."""
