"""Decides, and never acts: the life of a call, its vocabulary, policy and rates."""
