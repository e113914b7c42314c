"""Results as text for people; the shell prints JSON to everyone else."""
