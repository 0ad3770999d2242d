"""Acts: the two drivers, limits, the current run, the clock."""
