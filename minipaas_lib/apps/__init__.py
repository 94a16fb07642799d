"""An app as a whole: its life, recovery after a kill, clone, rename, trash."""
