"""Run the zipapp on another Python than it was made for: slower, but the same program.

The zipapp's modules are .pyc of one minor version, as every entry slows down every start; their sources are one entry,
`source.zip`. On another version (a host upgraded since, or a zipapp copied from elsewhere) they are compiled from there
on import, until install.sh has made a zipapp for that version. bundle.py puts this module into the zipapp as a source
at its top level: it runs before any other module of minipaas can be imported, and so imports none.
"""

import importlib.abc
import importlib.machinery
import io
import os
import sys
import zipfile
import zipimport


class SourceImporter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """A finder and loader of modules in the `source.zip` of the zipapp at `path`. Raises OSError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.zip = zipimport.zipimporter(path)
        self.sources = zipfile.ZipFile(io.BytesIO(self.zip.get_data("source.zip")))
        self.names = set(self.sources.namelist())

    def find_spec(self, fullname: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        base = fullname.replace(".", "/")
        for name, is_package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
            if name in self.names:
                place = os.path.join(self.path, name)
                spec = importlib.machinery.ModuleSpec(fullname, self, origin=place, is_package=is_package)
                spec.has_location = True  # so that the module has a __file__
                return spec
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None  # use the default

    def exec_module(self, module) -> None:
        source = self.sources.read(os.path.relpath(module.__spec__.origin, self.path))
        exec(compile(source, module.__spec__.origin, "exec", dont_inherit=True), module.__dict__)

    def get_data(self, path: str) -> bytes:
        """The file at `path`, a path that begins with the zipapp's. Raises OSError."""
        return self.zip.get_data(path)


def activate(path: str) -> None:
    """Import from the sources in the zipapp at `path` (absolute) from now on. Raises OSError."""
    sys.meta_path.insert(0, SourceImporter(path))
