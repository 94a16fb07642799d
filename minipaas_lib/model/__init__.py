"""Plain data: what apps, releases, processes and routes are. No input or output happens here."""
