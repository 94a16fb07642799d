"""What doctor says of an app's processes."""

from minipaas_lib.pipeline import apps
from plugins.scheduler_docker import hooks


def test_processes(world, fake):
    world.ok("apps:create", "blog")
    assert hooks.doctor(apps.load("blog"))[0].said == "not deployed yet"
    fake.deploy("blog")
    for count in ("3", "1", "3"):
        world.ok("ps:scale", "blog", f"web={count}")
    assert hooks.doctor(apps.load("blog"))[0].said == "3 of 3 run"
    fake.scheduler.set("blog_v1.web.1", state="exited")
    finding = hooks.doctor(apps.load("blog"))[0]
    assert not finding.ok and finding.said == "1 of 3 do not run: 1 web"
    world.ok("ps:stop", "blog")
    assert hooks.doctor(apps.load("blog"))[0].ok
