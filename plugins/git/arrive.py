"""Deploy an archive instead of a push."""

from minipaas_lib import api
from plugins.git import archive, download, settings, streams


def from_archive(name: str, where: str, kind: str | None, author: str) -> "api.Release":
    """Make a commit of the archive at a URL, or on stdin for `-`, and deploy it.

    kind: tar, tar.gz or zip, or None to look. Raises errors.MinipaasError, and then nothing of it is left.
    """
    if where != "-":
        download.check_url(where)
    with api.kernel.incoming(name):
        app = api.app(name)
        branch = settings.branch_of(app)
        parent = api.repository.head_commit(name, [branch])
        if where == "-":
            api.output.step(f"Reading the archive for {name} from stdin")
            commit = _commit(app, streams.stdin("the archive"), kind, "Deploy an archive", author, parent)
        else:
            api.output.step(f"Fetching {download.shown(where)}")
            with download.opened(where) as source:
                commit = _commit(app, source, kind, f"Deploy {download.shown(where)[1:-1]}", author, parent)
        return api.kernel.deploy_commit(name, commit, "git:from-archive", branch=branch)


def _commit(app: "api.App", source, kind: str | None, message: str, author: str, parent: str | None) -> str:
    limits = api.kernel.limits()
    stream = streams.Bounded(source, limits.size, "the archive")
    kind = kind or archive.type_of(stream.peek(4))
    if kind == "zip":
        from plugins.git import zip as zips

        with streams.spool(stream) as file:
            entries = archive.walk(zips.entries(file, limits.entries), limits)
            return api.repository.commit_tree(app.name, entries, message, author, parent)
    from plugins.git import tar

    # The headers, and what says more of a file than a header can hold, come on top of the files themselves.
    most = limits.size + limits.entries * 4 * tar.BLOCK + (1 << 20)
    stream = streams.unzipped(stream, most, "the archive") if kind == "tar.gz" else stream
    entries = archive.walk(tar.entries(stream), limits)
    commit = api.repository.commit_tree(app.name, entries, message, author, parent)
    while stream.read(1 << 16):  # what pads an archive to its last record; a sender would meet a broken pipe
        pass
    return commit
