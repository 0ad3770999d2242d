"""Decides without acting: a call's life, its vocabulary, policy and rates."""
