"""Repositories of apps, what is fetched into them, and what is taken out of them."""
