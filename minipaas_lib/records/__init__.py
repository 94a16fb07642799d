"""Apps, releases and what else is kept, as documents of the store."""
