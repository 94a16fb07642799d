import os

from minipaas_lib import paths
from minipaas_lib.pipeline import leftovers


def test_what_a_killed_build_left_goes_with_the_next_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIPAAS_ROOT", str(tmp_path))
    left, others = leftovers.build_folder("blog", 3), leftovers.build_folder("blog-2", 3)
    os.makedirs(os.path.join(left, "source"))
    fresh = leftovers.build_folder("blog", 4)
    assert fresh != left and not os.listdir(fresh)
    assert sorted(os.listdir(paths.work())) == sorted(os.path.basename(folder) for folder in (fresh, others))
    leftovers.remove("blog")
    assert os.listdir(paths.work()) == [os.path.basename(others)]
