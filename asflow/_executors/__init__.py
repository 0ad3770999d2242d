"""Runs the bodies of tasks in other processes and on other machines."""
