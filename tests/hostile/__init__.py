"""One person, or one server, against everybody else."""
