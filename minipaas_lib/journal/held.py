"""The locks that this process holds, for children that must not inherit them, and how long it waits for one."""

patience = 0.0
"""Seconds this command waits for a lock; the option --wait sets it, and the push option wait."""

locks: list = []
"""Those held now. The journal asks them before every step whether they still are."""
