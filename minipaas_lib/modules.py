"""Import the modules of the zipapp, without zipimport.

zipimport reads the directory of the whole zip at each start, which with 430 entries took a third of a bare start of
Python, and some more for each module. Here the code of all modules is a single entry, read in parts as they are
imported, and another one is the index. bundle.py makes both, and puts this module at the zip's top level, since it runs
before any other module of minipaas can be imported. See sources.py for another version of Python.
"""

import io
import marshal
import sys
import zipimport
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # as in typing, whose import would cost as much as this module saves

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = object


class CodeImporter(Loader):
    """A finder and loader of the compiled modules in the zipapp at `path`. Raises OSError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.zip = zipimport.zipimporter(path)
        # module -> whether it is a package, offset of its code in the zipapp, size in bytes
        self.index: dict[str, tuple[bool, int, int]] = marshal.loads(self.zip.get_data("modules.index"))

    def find_spec(self, fullname: str, path=None, target=None) -> ModuleSpec | None:
        if fullname not in self.index:
            return None
        is_package = self.index[fullname][0]
        place = f"{self.path}/{fullname.replace('.', '/')}"
        spec = ModuleSpec(
            fullname, self, origin=place + ("/__init__.py" if is_package else ".py"), is_package=is_package
        )
        spec.has_location = True  # so that the module has a __file__
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None  # use the default

    def exec_module(self, module) -> None:
        _, begin, size = self.index[module.__spec__.name]
        with io.open_code(self.path) as file:
            file.seek(begin)
            code = file.read(size)
        exec(marshal.loads(code), module.__dict__)

    def get_data(self, path: str) -> bytes:
        """The file at `path`, a path that begins with the zipapp's. Raises OSError."""
        return self.zip.get_data(path)


def activate(path: str) -> None:
    """Import from the compiled modules in the zipapp at `path` (absolute) from now on. Raises OSError."""
    sys.meta_path.insert(0, CodeImporter(path))
