"""Apps, releases and other records as documents of the store."""
