"""Templates from repositories: what they get, and that they get no further, however they try."""

import time

import pytest

from minipaas_lib import api
from plugins.router_nginx import render, syntax, template

PLACE = render.Place(folder="/var/lib/minipaas/nginx", logs="/var/log/nginx")
TEMPLATE = """
{% for upstream in upstreams %}
upstream {{ upstream.name }} {
  {% for server in upstream.servers %}
  server {{ server }};
  {% endfor %}
}
{% endfor %}
{% for listener in listeners %}
server {
  {% for address in listener.addresses %}
  listen {{ address }};
  {% endfor %}
  server_name {{ domains | join(" ") }};
  client_max_body_size {{ settings["client-max-body-size"] }};
  location / { proxy_pass http://{{ listener.upstream }}; }
}
{% endfor %}
"""


ONE = (api.Backend("172.30.0.2"),)


def route(text: str, permitted: str = "on", backends=ONE) -> "api.Route":
    settings = {"custom-template": permitted, "client-max-body-size": "7m"}
    return api.Route("blog", "v1", ("blog.example.org",), (api.Listener("http", 80, 5000),), backends, settings, text)


def test_a_permitted_template_makes_the_file_with_our_logs_pages_and_proof():
    made = render.app_file(route(TEMPLATE), PLACE)
    assert "client_max_body_size 7m;" in made
    assert "server_tokens off" not in made.partition("# What `minipaas` asks")[0]
    assert "access_log /var/log/nginx/blog-access.log minipaas;" in made
    assert "error_log /var/log/nginx/blog-error.log;" in made
    assert "return 404 $minipaas_page;" in made and "error_page 400 413" in made
    assert "root /nonexistent/minipaas;" in made and "include /var/lib/minipaas/nginx/server.conf;" in made
    assert "proxy_max_temp_file_size 8m;" in made
    assert "server_name blog.route.minipaas.invalid;" in made


def test_what_a_template_does_not_say_of_a_request_we_do():
    text = TEMPLATE.replace(
        "location / {",
        """location /own {
        proxy_set_header host example.org; proxy_set_header X-Team blue; proxy_pass http://{{ listener.upstream }};
      }
      location / {""",
    )
    made = render.app_file(route(text), PLACE)
    server = next(one for one in syntax.parse(made) if one.name == "server")
    by_place = {one.arguments: one.block for one in server.block if one.name == "location"} | {(): server.block}

    def sent(place):
        return {one.arguments[0].lower(): one.arguments[1] for one in by_place[place] if one.name == "proxy_set_header"}

    assert sent(())["host"] == "$minipaas_http_host" and sent(())["x-forwarded-for"] == "$remote_addr"
    assert sent(("/own",))["host"] == "example.org" and sent(("/own",))["x-team"] == "blue"
    assert sent(("/own",))["x-forwarded-for"] == "$remote_addr" and sent(("/",)) == {}
    for place in ((), ("/own",)):
        assert (f"{PLACE.folder}/headers.conf",) in [one.arguments for one in by_place[place] if one.name == "include"]


@pytest.mark.parametrize("text", ["{{ nothing }}", "server {", "server { alias /etc; }"])
def test_what_clears_the_permission_of_a_bad_template_can_be_typed_as_it_stands(text):
    with pytest.raises(api.errors.BadConfig) as raised:
        render.app_file(route(text), PLACE)
    assert raised.value.hint.endswith(": nginx:set blog custom-template")


def test_without_permission_or_processes_ours_is_used():
    own = render.app_file(route(TEMPLATE, "off"), PLACE).partition("# What `minipaas` asks")[0]
    assert "server_tokens off" in own
    assert "return 503" in render.app_file(route(TEMPLATE, backends=()), PLACE)


def test_its_syntax_and_directives_are_checked():
    with pytest.raises(api.errors.BadConfig, match="line 1: a ; is missing"):
        render.app_file(route("server"), PLACE)
    with pytest.raises(api.errors.BadConfig, match="not allowed at the top"):
        render.app_file(route("include /etc/passwd;"), PLACE)


def test_a_value_that_tries_to_break_out_stays_one_word():
    made = render.app_file(route(TEMPLATE.replace("location /", 'add_header X "a; } root /; {"; location /')), PLACE)
    assert 'add_header X "a; } root /; {";' in made


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ (''|attr('format')) ('{0.__class__}') }}{{ '{0.__class__}'.format(1) }}",
        "{{ '{0.__class__.__base__}'.format_map({'0': 1}) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ self._TemplateReference__context.environment }}",
        "{{ lipsum.__globals__['os'].popen('id').read() }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ joiner }}",
        "{{ namespace }}",
        "{{ range.__self__ }}",
        "{{ domains.append('x') }}",
        "{{ settings.update(a=1) }}",
        "{{ settings.clear() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{{ undefined_name }}",
        "{{ 1 / 0 }}",
        "{% for %}",
        "{{ [] | map(attribute='__class__') | list | first }}",
        "{% macro m() %}{{ caller.__globals__ }}{% endmacro %}{% call m() %}{% endcall %}",
    ],
)
def test_escapes_are_refused(text):
    with pytest.raises(api.errors.BadConfig, match="nginx.conf.j2 cannot be used"):
        template.render(text, {"domains": ["a"], "settings": {"a": "b"}})


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{{ 9**(9**(9**9)) }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '{:>9999999999}'.format(1) }}",
        "{{ 'a' | center(9999999999) }}",
        "{% set n = namespace(x='a') %}",
        "{% macro m(x, i) %}{% if i %}"
        "{{ m(x ~ x, i - 1) }}{% else %}{{ x | length }}{% endif %}{% endmacro %}{{ m('aaaaaaaa', 40) }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ range(10**9) | list }}",
        "{% for a in range(99999) %}aaaaaaaa{% endfor %}",
        "a" * (template.SOURCE_LIMIT + 1),
        "{{ '" + "(" * 5000,
        "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    ],
)
def test_greed_ends_soon(text):
    began = time.monotonic()
    with pytest.raises(api.errors.BadConfig):
        template.render(text, {})
    assert time.monotonic() - began < 8


def test_text_comes_out_as_it_is():
    assert template.render("{{ a }} ä <&>", {"a": "ü"}) == "ü ä <&>"
