"""Locks, steps and background work: what makes a kill harmless."""
