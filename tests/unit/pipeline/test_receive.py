import os

from minipaas_lib import paths
from minipaas_lib.pipeline import receive


def test_what_a_killed_build_left_goes_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    left, others = receive.build_folder("blog"), receive.build_folder("blog-2")
    os.makedirs(os.path.join(left, "source"))
    fresh = receive.build_folder("blog")
    assert fresh != left and not os.listdir(fresh)
    assert sorted(os.listdir(paths.work())) == sorted(os.path.basename(folder) for folder in (fresh, others))
    receive.remove_builds("blog")
    assert os.listdir(paths.work()) == [os.path.basename(others)]
