from minipaas_lib.model.release import FAILED, Release


def test_a_release_whose_build_failed_is_read_back():
    release = Release("blog", 3, "", status=FAILED, failure="no Dockerfile", commit="a" * 40)
    assert Release.from_document("blog", release.to_document()) == release
