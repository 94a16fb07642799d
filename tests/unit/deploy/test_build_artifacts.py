import os
from types import SimpleNamespace

import pytest

from minipaas_lib import errors, folders, paths
from minipaas_lib.deploy import build_artifacts
from minipaas_lib.records import apps, trashed


def test_what_a_killed_build_left_goes_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    left, others = build_artifacts.build_folder("blog", 3), build_artifacts.build_folder("blog-2", 3)
    os.makedirs(os.path.join(left, "source"))
    fresh = build_artifacts.build_folder("blog", 4)
    assert fresh != left and not os.listdir(fresh)
    assert sorted(os.listdir(paths.work())) == sorted(os.path.basename(folder) for folder in (fresh, others))
    build_artifacts.remove("blog")
    assert os.listdir(paths.work()) == [os.path.basename(others)]


def test_a_folder_that_cannot_be_removed_locks_no_app(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    left = build_artifacts.build_folder("blog", 3)
    monkeypatch.setattr(folders, "remove", lambda path: False)
    assert build_artifacts.build_folder("blog", 3) not in (left, "") and build_artifacts.build_folder("blog", 3) != left
    for _ in range(build_artifacts.FOLDERS - 3):
        build_artifacts.build_folder("blog", 3)
    with pytest.raises(errors.Unavailable, match="cannot be removed"):
        build_artifacts.build_folder("blog", 3)


@pytest.mark.parametrize("goes_to", ["nowhere", "another name", "the trash"])
def test_images_in_use_while_another_app_goes(monkeypatch, goes_to):
    """Its releases were listed, and are not there any more when they are read."""
    ledger, in_trash = {"blog": ["sha256:1"], "shop": ["sha256:2"]}, set()

    def of(name):
        if name == "shop":
            if goes_to == "another name":
                ledger["store"] = ledger["shop"]
            elif goes_to == "the trash":
                in_trash.update(ledger["shop"])
            ledger.pop("shop")
            raise errors.NotFound("shop has no release v1")
        return [SimpleNamespace(image=image) for image in ledger[name]]

    monkeypatch.setattr(apps, "names", lambda: sorted(ledger))
    monkeypatch.setattr(trashed, "images", lambda name: set(in_trash))
    kept = build_artifacts.images_in_use("shop", of)
    assert kept == ({"sha256:1"} if goes_to == "nowhere" else {"sha256:1", "sha256:2"})


def test_an_image_that_comes_back_from_the_trash_meanwhile_is_in_use(monkeypatch):
    in_trash = {"sha256:1"}
    monkeypatch.setattr(trashed, "images", lambda name: set(in_trash))
    monkeypatch.setattr(apps, "names", lambda: in_trash.clear() or ["blog"])
    assert build_artifacts.images_in_use("shop", lambda name: [SimpleNamespace(image="sha256:2")]) == {
        "sha256:1",
        "sha256:2",
    }


def test_a_release_that_never_comes_is_told_of(monkeypatch):
    def of(name):
        raise errors.NotFound("blog has no release v1")

    monkeypatch.setattr(trashed, "images", lambda name: set())
    monkeypatch.setattr(apps, "names", lambda: ["blog"])
    with pytest.raises(errors.NotFound, match="no release v1"):
        build_artifacts.images_in_use("blog", of)
