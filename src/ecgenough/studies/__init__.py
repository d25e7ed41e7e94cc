"""Studies: runs, from a data set and a recipe to a folder of figures, and comparisons of runs."""
