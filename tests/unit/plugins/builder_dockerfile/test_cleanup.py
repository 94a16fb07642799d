"""Which images may go."""

from plugins.builder_dockerfile import cleanup
from plugins.builder_dockerfile.cleanup import unused


def test_unused():
    listed = [
        "sha256:a minipaas/blog:v1",
        "sha256:b minipaas/blog:v2",
        "sha256:b minipaas/blog:v3",
        "sha256:c minipaas/blog:v4",
        "sha256:d minipaas/blog:v5",
        "sha256:e minipaas/blog:latest",
        "sha256:f minipaas/blog-2:v1",
        "sha256:g <none>:<none>",
        "sha256:h minipaas/blog:v1x",
        "",
        "sha256:i minipaas/blog:v10",
    ]
    assert unused("blog", listed, {"sha256:b"}, 4) == ["minipaas/blog:v1", "minipaas/blog:v4"]
    assert unused("blog", listed, set(), 0) == []


def test_the_new_names_of_a_renamed_apps_images():
    listed = [
        "sha256:1 minipaas/blog:v1",
        "sha256:2 minipaas/blog:v12",
        "sha256:3 minipaas/blog:v3",
        "sha256:1 minipaas/blog:latest",
    ]
    found = cleanup.renamed("blog", "journal", listed, {"sha256:1", "sha256:2"}, {"sha256:2", "sha256:3"})
    assert found == [
        ("minipaas/blog:v1", "minipaas/journal:v1", False),
        ("minipaas/blog:v12", "minipaas/journal:v12", True),
    ]
