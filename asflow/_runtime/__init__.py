"""Carries out what the engine decides: the two drivers, limits, the current run, the clock."""
