"""minipaas: a small platform that turns a git push into a running, routed, undoable site."""

__version__ = "0.1.0"
