"""What both ends of a connection between heads and agents go by: ports, names, keys, and how pieces are framed."""

AGENT_PORT = 7390  # of every agent: docker on its node
HEAD_PORT = 7391  # of every head: its git repositories
AGENT, HEAD = "minipaas-agent", "minipaas-head"  # DNS names in the certificates of every agent and every head
PARTS = ("agent", "head")  # who has a certificate

CHUNK = 1 << 16  # bytes that are read at once
LENGTH = 4
"""Bytes before each piece on an agent's port, its length; 0 ends that direction, which TLS itself cannot tell."""
END = bytes(LENGTH)


def keys_path(part: str) -> str:
    """The document with the certificates of all agents or all heads: ca, cert and key as PEM texts."""
    return f"cluster/{part}.toml"


def frame(data: bytes) -> bytes:
    """A piece with its length before it; `data` is not empty."""
    return len(data).to_bytes(LENGTH) + data
