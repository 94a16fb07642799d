"""The locks that this process holds, which children must not inherit, and how long it waits for one."""

patience = 0.0
"""Seconds this command waits for a lock; the option --wait sets it, and the push option wait."""

locks: list = []
"""The locks held now. The journal checks them before every step."""
