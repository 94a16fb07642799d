"""What is said when a commit cannot be unpacked."""

import os

import pytest

from minipaas_lib import errors
from minipaas_lib.git import checkout, git, unpack


@pytest.mark.parametrize(("full", "word"), [(True, "no space left on device"), (False, "unable to write file x")])
def test_a_full_disk_is_named_where_git_names_no_reason(tmp_path, monkeypatch, full, word):
    def refuse(*arguments):
        raise git.GitFailed("unable to write file x")

    monkeypatch.setattr(unpack, "unpack", refuse)
    monkeypatch.setattr(checkout, "is_full", lambda folder: full)
    with pytest.raises(errors.MinipaasError, match=word) as caught:
        checkout.checkout("blog", "c" * 40, os.path.join(tmp_path, "source"))
    assert ("df -h" in caught.value.hint) == full


def test_a_disk_with_room_is_not_full(tmp_path):
    assert not checkout.is_full(str(tmp_path))
