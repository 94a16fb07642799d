"""How the kernel and the plugins talk: hooks, and the index that says who has which."""
