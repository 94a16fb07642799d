"""`minipaas install`: run install.sh from the zipapp, so that one copied file is all that a host needs."""

import os
import sys

from minipaas_lib import errors, folders, paths


def run(argv: list[str]) -> int:
    """Unpack the zipapp's sources to a temporary folder and run its install.sh with the options `argv`.

    Returns install.sh's exit status. Nothing is fetched: the libraries come from this zipapp too. Raises
    errors.UsageError in a checkout, which has install.sh itself, and in a wheel, which has no libraries.
    """
    import io
    import subprocess
    import tempfile
    import zipfile

    zipapp = paths.source()
    if not os.path.isfile(zipapp):
        if not os.path.exists(os.path.join(zipapp, "install.sh")):
            raise errors.UsageError("a wheel cannot install minipaas on a host", "in a checkout: sudo ./install.sh")
        raise errors.UsageError("this is a checkout, not a zipapp", f"sudo {os.path.join(zipapp, 'install.sh')}")
    folder = tempfile.mkdtemp(prefix="minipaas-install-")
    try:
        with zipfile.ZipFile(io.BytesIO(paths.resource("source.zip"))) as sources:
            for entry in sources.infolist():
                os.chmod(sources.extract(entry, folder), (entry.external_attr >> 16) & 0o777)
        sys.stdout.flush()
        return subprocess.call(["/bin/sh", os.path.join(folder, "install.sh"), "--from-zipapp", zipapp, *argv])
    finally:
        folders.remove(folder)
