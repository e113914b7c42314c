"""Contact sheets: pages of small pictures in groups, each one file that needs nothing else."""
