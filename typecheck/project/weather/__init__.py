"""Hourly temperatures of some cities, day by day."""
