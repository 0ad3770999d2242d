"""Decides, and never acts: policy, the life of a call, names and identities."""
