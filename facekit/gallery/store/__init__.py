"""A gallery in a folder: ``matrix`` holds the vectors, ``database`` everything else."""
