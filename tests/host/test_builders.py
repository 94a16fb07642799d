"""Which builder builds, from which folder, and what is said of a repository that nobody can build."""

import json

from conftest import BUSYBOX_IMAGE, Repo


def test_a_folder_of_the_repository_is_built_and_nothing_else_of_it(host, app, tmp_path):
    repo = Repo(host, tmp_path / "repo", app, **{
        "Dockerfile": "FROM scratch\nCOPY nothing /\n", "secret": "x",
        "web___Dockerfile": f"FROM {BUSYBOX_IMAGE}\nCOPY . /www\n", "web___index__html": "from web",
        "web___Procfile": "web: exec httpd -f -p $PORT -h /www\n",
    })  # fmt: skip
    host.ssh("apps:create", app)
    host.ssh("builder:set", app, "build-dir", "web")
    host.ssh("builder:set", app, "selected", "dockerfile")
    pushed = repo.push().stderr
    assert "from the folder web" in pushed and "builder dockerfile: builder:set selected it" in pushed
    name = host.url_host(app)
    assert host.get(name) == (200, "from web") and host.get(name, "/secret")[0] == 404
    report = json.loads(host.ssh("builder:report", app, "--format", "json").stdout)
    assert report["builder-build-dir"] == report["builder-computed-build-dir"] == "web" and "dockerfile" in report["builder-available"]
    (repo.folder / "linked").symlink_to("web")
    repo.commit()
    host.ssh("builder:set", app, "build-dir", "linked")
    refused = repo.push(ok=False)
    assert refused.returncode != 0 and "linked is no folder of this commit" in refused.stderr
    assert host.get(name) == (200, "from web")


def test_a_repository_that_nobody_can_build_says_what_was_looked_for(host, app, tmp_path):
    repo = Repo(host, tmp_path / "repo", app, README="hello")
    refused = repo.push(ok=False)
    assert refused.returncode != 0
    line = next(line for line in refused.stderr.splitlines() if "could be built from" in line)
    assert f"nothing here that {app} could be built from; looked in the top folder for: " in line and "Dockerfile" in line
