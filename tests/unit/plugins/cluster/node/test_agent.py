import gevent
import pytest

from plugins.cluster.node import agent


def test_what_happens_during_a_look_leads_to_one_more():
    heard, looked = agent.Heard(), []

    def look(app):
        looked.append(app)
        if len(looked) == 1:
            for _ in range(100):
                heard.add("blog")
            heard.add("shop")

    heard.add("blog")
    for _ in range(3):
        heard.attend(look)
    assert looked == ["blog", "blog", "shop"]
    with gevent.Timeout(0.05, False):
        heard.attend(look)
    assert len(looked) == 3, "nothing has happened since"
    heard.add("news")
    heard.attend(look)
    assert looked[3:] == ["news"]


def test_a_look_that_fails_is_due_again():
    heard, looked = agent.Heard(), []

    def fail(app):
        raise OSError(app)

    heard.add("blog")
    with pytest.raises(OSError, match="blog"):
        heard.attend(fail)
    heard.attend(looked.append)
    assert looked == ["blog"]


def test_whoever_begins_to_listen_looks_at_all_first():
    """docker tells of nothing that happened before."""

    class Docker:
        def changes(self):
            yield "blog"

    heard, looked = agent.Heard(), []
    agent._hear(Docker(), heard)
    heard.attend(looked.append)
    heard.attend(looked.append)
    assert looked == [None, "blog"]
