"""Rounds trained: when one is due, in which process, by which models, and what they predicted."""
