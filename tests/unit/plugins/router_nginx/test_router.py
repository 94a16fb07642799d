"""In which order the router's files change: nginx may be started again after each of them."""

import os

from minipaas_lib import api
from minipaas_lib.toolkit import durable_file
from plugins.router_nginx import files, host, owned, render, router

ROUTE = api.Route("blog", "v4", ("blog.example.org",), (api.Listener("http", 80, 5000),), (api.Backend("10.0.0.2"),))


def test_the_main_file_of_the_version_before_goes_before_the_file_that_takes_its_place(tmp_path):
    """Between the two, both would claim default_server of port 80, and nginx does not start with that."""
    made = router.NginxRouter(host.Host(render.Place(folder=str(tmp_path), logs="/var/log/nginx"), etc=str(tmp_path)))
    (tmp_path / "live").mkdir()
    (tmp_path / "main.conf").write_text("server {\n    listen 80 default_server;\n}\n")
    order = [
        os.path.basename(path)
        for path in made._wanted("blog", "", render.app_file(ROUTE, made.host.place), ROUTE.domains)
    ]
    assert (
        order.index("server.conf") < order.index("main.conf") < order.index("_port_80.conf") < order.index("blog.conf")
    )
    durable_file.write(str(tmp_path / "main.conf"), made.main_file(made.host.live))
    assert "main.conf" not in {os.path.basename(path) for path in made._wanted("blog", "", "", ())}


def test_the_names_of_an_app_that_was_routed_by_a_version_before(tmp_path):
    made = router.NginxRouter(host.Host(render.Place(folder=str(tmp_path), logs="/var/log/nginx"), etc=str(tmp_path)))
    (tmp_path / "live").mkdir()
    made.own(ROUTE)
    assert owned.of(made.host, "blog") == [], "another command has taken its file away"
    durable_file.write(files.app_path(made.host, "blog"), render.app_file(ROUTE, made.host.place))
    made.own(ROUTE)
    assert owned.are(made.host, "blog", owned.LIVE, ROUTE.domains)
