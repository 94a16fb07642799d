"""releases on the command line."""

import json

from minipaas_lib import errors


def test_releases(world, fake):
    world.ok("apps:create", "blog")
    assert world("releases", "blog").out == ""
    fake.deploy("blog")
    world.ok("ps:scale", "blog", "web=2", key="anna")
    fake.scheduler.breaks["start"] = errors.DeployFailed("no such command")
    assert world("ps:restart", "blog").status == 1
    rows = json.loads(world.ok("releases", "blog", "--format", "json"))
    assert [(row["v"], row["status"], row["who"]) for row in rows] == [
        ("v3", "failed", "root"), ("v2", "live", "anna"), ("v1", "superseded", "root"),
    ]  # fmt: skip
    assert rows[0]["reason"] == "restart: no such command" and rows[1]["reason"] == "scale: web=2"
    lines = world.ok("releases", "blog", "-n", "1").splitlines()
    assert lines[0].split() == ["V", "STATUS", "WHEN", "WHO", "REASON"] and lines[1].startswith("v3") and len(lines) == 2
    world.refused("releases", "nobody")
    world.refused("releases", "blog", "-n", "0")
