import os

import pytest

from minipaas_lib import errors
from plugins.cluster.node import log_rotation

NOW = 1_800_000_000.0


@pytest.fixture
def folder(tmp_path):
    for name, size, age in (
        ("blog-access.log", log_rotation.LIMIT + 1, 0),
        ("blog-access.log.1", 7, 3600),
        ("blog-error.log", 5, 0),
        ("gone-access.log", 5, log_rotation.OLD + 1),
        ("gone-access.log.1", log_rotation.LIMIT + 1, log_rotation.OLD + 1),
        ("big.txt", log_rotation.LIMIT + 1, log_rotation.OLD + 1),
    ):
        with open(tmp_path / name, "wb") as file:
            file.truncate(size)
        os.utime(tmp_path / name, (NOW - age, NOW - age))
    return tmp_path


def test_logs_that_have_grown_take_the_place_of_the_former_and_old_ones_go(folder):
    reopened = []
    turned = log_rotation.rotate(str(folder), NOW, lambda: reopened.append(sorted(os.listdir(folder))))
    left = ["big.txt", "blog-access.log.1", "blog-error.log"]
    assert turned == ["blog-access.log", "gone-access.log", "gone-access.log.1"] and reopened == [left]
    assert os.path.getsize(folder / "blog-access.log.1") == log_rotation.LIMIT + 1


def test_nginx_is_left_alone_while_no_log_has_grown(folder):
    log_rotation.rotate(str(folder), NOW, lambda: None)
    assert log_rotation.rotate(str(folder), NOW, lambda: pytest.fail("it was asked")) == []
    assert log_rotation.rotate(str(folder / "none"), NOW, lambda: pytest.fail("it was asked")) == []


def test_what_nginx_says_is_passed_on(folder):
    def refuses():
        raise errors.Unavailable("nginx is not running")

    with pytest.raises(errors.Unavailable):
        log_rotation.rotate(str(folder), NOW, refuses)
