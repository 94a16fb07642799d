"""Which images may go."""

from plugins.builder_dockerfile.cleanup import unused


def test_unused():
    listed = [
        "sha256:a minipaas/blog:v1", "sha256:b minipaas/blog:v2", "sha256:b minipaas/blog:v3", "sha256:c minipaas/blog:v4",
        "sha256:d minipaas/blog:v5", "sha256:e minipaas/blog:latest", "sha256:f minipaas/blog-2:v1", "sha256:g <none>:<none>",
        "sha256:h minipaas/blog:v1x", "", "sha256:i minipaas/blog:v10",
    ]  # fmt: skip
    assert unused("blog", listed, {"sha256:b"}, 4) == ["minipaas/blog:v1", "minipaas/blog:v4"]
    assert unused("blog", listed, set(), 0) == []
