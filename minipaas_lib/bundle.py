"""Make the zipapp: one file that holds minipaas, its plugins and every library, for the interpreter that runs this.

Run as `/usr/bin/python3 minipaas_lib/bundle.py --out FILE`, from a checkout or from the folder that a zipapp unpacked
itself to. What start-up speed asks for is done here: nothing deflated, and few entries, as the zip's directory is read
at every start. The code of all modules is one entry, `modules`: see minipaas_lib/modules.py. The heavy libraries are
one, `vendor.zip`, that minipaas_lib/vendor.py unpacks once per host; the sources, and what only an installation needs,
are another, `source.zip`: see minipaas_lib/sources.py.
"""

import argparse
import contextlib
import hashlib
import importlib.util
import io
import marshal
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile

SHEBANG = b"#!/usr/bin/python3 -IS\n"
SOURCE_TREES = ("minipaas_lib", "plugins", "hooks", "nginx", "docs/sample-app")
SOURCE_FILES = ("install.sh", "pyproject.toml")
SETUP = re.compile(
    r"install\.sh|pyproject\.toml|(minipaas_lib/install|docs)/.+|plugins/[^/]+/(plugin\.toml|[^/]+/[^/]+/.+)"
    r"|minipaas_lib/(bundle|__main__)\.py"
)
LIGHT = ("click", "pluggy")
NATIVE = ("gevent", "greenlet")
MODULES, MODULES_INDEX = "modules", "modules.index"
HEADER = 30  # bytes of a zip entry before its name (APPNOTE.TXT, 4.3.7: local file header)
MOST_ENTRIES = 64  # fifty cost a hundredth of a bare start of Python, at every start: the zip's directory is read
# The file is opened again for each module. Through the symlink in PATH an upgrade during a run would mix two versions,
# so the real file is used from here on.
MAIN = b"""import os
import sys

path = os.path.realpath(sys.path[0])
if sys.implementation.cache_tag == "@PYTHON@":
    import minipaas_modules

    minipaas_modules.activate(path)
else:
    import minipaas_sources

    minipaas_sources.activate(path)
del sys.path[0]

from minipaas_lib.main import program

program()
"""

_SKIPPED_FOLDERS = {"__pycache__", "tests", "testing", "test", "bin", "include", "share"}
_SKIPPED_ENDINGS = (
    *(".pyc", ".pyi", ".c", ".cpp", ".h", ".hpp", ".pyx", ".pxd", ".pxi"),
    *(".pth", ".typed", ".orig", ".swp", "~"),
)
_SKIPPED_LIGHT = {"click/testing.py", "click/_winconsole.py"}
_SKIPPED_HEAVY = ("yaml/_yaml.",)  # libyaml: 2.7 MB to read 64 KB faster
_EPOCH = (1980, 1, 1, 0, 0, 0)

Tree = dict[str, tuple[bytes, int]]  # path in the zip -> content, file mode


def source_tree(folder: str) -> Tree:
    """minipaas' own files below `folder`, by path in the zip. Raises OSError."""
    tree: Tree = {}
    for top in SOURCE_TREES:
        if os.path.isdir(os.path.join(folder, top)):
            tree.update(_read_tree(folder, top, _SKIPPED_FOLDERS - {"bin"}))
    for name in SOURCE_FILES:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            tree[name] = _read(path)
    for place in {os.path.dirname(name) for name in tree if name.endswith(".py")}:
        while place:  # zipimport needs an __init__.py in every package
            tree.setdefault(f"{place}/__init__.py", (b"", 0o644))
            place = os.path.dirname(place)
    return tree


def library_tree(site: str) -> tuple[Tree, Tree]:
    """The libraries that pip put in `site`, pruned: those of the outer zip, and those of vendor.zip."""
    light: Tree = {}
    heavy: Tree = {}
    for top in sorted(os.listdir(site)):
        if top in _SKIPPED_FOLDERS or top.endswith((".dist-info", ".egg-info")):
            continue
        path = os.path.join(site, top)
        part = _read_tree(site, top) if os.path.isdir(path) else {top: _read(path)}
        (light if top in LIGHT else heavy).update(part)
    light = {name: entry for name, entry in light.items() if name.endswith(".py") and name not in _SKIPPED_LIGHT}
    heavy = {
        name: entry
        for name, entry in heavy.items()
        if not name.endswith(_SKIPPED_ENDINGS) and not name.startswith(_SKIPPED_HEAVY)
    }
    heavy["versions.txt"] = ("".join(f"{line}\n" for line in _versions(site)).encode(), 0o644)
    return light, heavy


def digest(tree: Tree) -> str:
    """A short name for the content of `tree` (64 bits of SHA-256, hex)."""
    total = hashlib.sha256()
    for name in sorted(tree):
        content, mode = tree[name]
        total.update(f"{name}\0{mode:o}\0{len(content)}\0".encode())
        total.update(content)
    return total.hexdigest()[:16]


def requirements(pyproject: bytes) -> list[str]:
    """The run-time requirements that pyproject.toml lists, sorted."""
    return sorted(tomllib.loads(pyproject.decode())["project"]["dependencies"])


def compiled(name: str, source: bytes) -> bytes:
    """The unchecked-hash .pyc of a module (PEP 552) for the running interpreter. Raises SyntaxError.

    Unchecked, since zipimport compares timestamps in local time (cpython#141431).
    """
    head = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + _code(name, source)


def _code(name: str, source: bytes, optimize: int = 0) -> bytes:
    """A module's code, marshalled, for the running interpreter."""
    return marshal.dumps(compile(source, name, "exec", dont_inherit=True, optimize=optimize))


def pack(tree: Tree, compression: int = zipfile.ZIP_STORED, prefix: bytes = b"") -> bytes:
    """`prefix` and a zip of `tree`, with sorted names and fixed times: equal trees give equal bytes."""
    buffer = io.BytesIO()
    buffer.write(prefix)
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(tree, key=lambda name: (name != MODULES, name)):  # whose place is known before: see _modules
            content, mode = tree[name]
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = compression
            archive.writestr(entry, content)
    return buffer.getvalue()


def unpack(archive: bytes | str) -> Tree:
    """The opposite of `pack`; `archive` is the zip's bytes or its path. Raises OSError, zipfile.BadZipFile."""
    with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as file:
        return {entry.filename: (file.read(entry), (entry.external_attr >> 16) & 0o777) for entry in file.infolist()}


def assemble(own: Tree, light: Tree, heavy: Tree, index: str) -> Tree:
    """All entries of the zipapp: the code of the modules, other files, and the two inner archives.

    Raises ValueError if there are so many entries that start-up suffers.
    """
    source = {**light, **own, "minipaas_index.py": (index.encode(), 0o644)}
    vendor = digest(heavy)
    main = MAIN.replace(b"@PYTHON@", sys.implementation.cache_tag.encode())
    source["minipaas_build.py"] = (_build_module(own, vendor, digest({**source, "main": (main, 0)})), 0o644)
    used = {name: entry for name, entry in source.items() if not SETUP.fullmatch(name)}
    tree = {
        **{name: entry for name, entry in used.items() if not name.endswith(".py")},
        **_modules({name: content for name, (content, _) in used.items() if name.endswith(".py")}),
        "__main__.py": (main, 0o644),
        "__main__.pyc": (compiled("__main__.py", main), 0o644),
        "minipaas_modules.pyc": (compiled("minipaas_modules.py", own["minipaas_lib/modules.py"][0]), 0o644),
        "minipaas_sources.py": own["minipaas_lib/sources.py"],
        "source.zip": (pack(source, zipfile.ZIP_DEFLATED), 0o644),
        "vendor.zip": (pack(heavy, zipfile.ZIP_DEFLATED), 0o644),
    }
    if len(tree) >= MOST_ENTRIES:
        raise ValueError(f"the zipapp would have {len(tree)} entries; start-up allows {MOST_ENTRIES - 1}")
    return tree


def _modules(sources: dict[str, bytes]) -> Tree:
    """The entries that minipaas_lib/modules.py reads: the code of all modules, and where in the zipapp each lies."""
    code, index = bytearray(), {}
    begin = len(SHEBANG) + HEADER + len(MODULES)  # of the first entry's content
    for name in sorted(sources):
        part = _code(name, sources[name], optimize=2 if name.split("/")[0] in LIGHT else 0)
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        index[module] = (name.endswith("/__init__.py"), begin + len(code), len(part))
        code += part
    return {MODULES: (bytes(code), 0o644), MODULES_INDEX: (marshal.dumps(index), 0o644)}


def _build_module(own: Tree, vendor: str, content: str) -> bytes:
    build = hashlib.sha256(f"{content} {vendor} {importlib.util.MAGIC_NUMBER.hex()}".encode()).hexdigest()[:16]
    values = {
        "VERSION": _version(own),
        "BUILD": build,
        "VENDOR": vendor,
        "REQUIREMENTS": requirements_digest(own),
        "PYTHON": sys.implementation.cache_tag,
    }
    text = '"""Which build of minipaas this is; written by minipaas_lib/bundle.py."""\n\n'
    return (text + "".join(f'{name} = "{value}"\n' for name, value in values.items())).encode()


def marks(path: str) -> dict[str, str]:
    """The values of minipaas_build.py in the zipapp at `path`; {} if there is no such zipapp."""
    try:
        with zipfile.ZipFile(path) as archive:
            with zipfile.ZipFile(archive.open("source.zip")) as sources:
                text = sources.read("minipaas_build.py").decode()
    except (OSError, KeyError, zipfile.BadZipFile):
        return {}
    lines = (line.partition(" = ") for line in text.splitlines() if " = " in line)
    return {name: value.strip('"') for name, _, value in lines}


def requirements_digest(own: Tree) -> str:
    return hashlib.sha256("\n".join(requirements(own["pyproject.toml"][0])).encode()).hexdigest()[:16]


def reusable(path: str, own: Tree) -> bool:
    """Whether the zipapp at `path` has libraries that satisfy the requirements."""
    return marks(path).get("REQUIREMENTS") == requirements_digest(own)


def native_fits(heavy: Tree) -> bool:
    """Whether the compiled parts (gevent, greenlet) are for the running interpreter and machine."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    built = [name for name in heavy if name.split("/")[0] in NATIVE and name.endswith(".so")]
    return all(name.endswith((suffix, ".abi3.so")) for name in built)


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = source_tree(folder)
    usable = [path for path in options.reuse if reusable(path, own)]
    fitting = [path for path in usable if native_fits(unpack(unpack(path)["vendor.zip"][0]))]
    old = next(iter(fitting + usable), "")
    if options.check:
        print("reuse" if fitting else "fetch")
        return 0
    with tempfile.TemporaryDirectory(prefix="minipaas-bundle-") as scratch:
        light, heavy = _reused(old, scratch) if old else _fetched(requirements(own["pyproject.toml"][0]), scratch)
        index = _index(folder, light, scratch)
    try:
        tree = assemble(own, light, heavy, index)
    except ValueError as error:
        sys.stderr.write(f" !     {error}\n")
        return 1
    write(options.out, tree)
    print(f"{marks(options.out)['BUILD']} {len(tree)} entries {os.path.getsize(options.out)} bytes")
    return 0


def write(out: str, tree: Tree) -> None:
    """Write the executable zipapp to `out` atomically. Raises OSError."""
    temporary = f"{out}.{os.getpid()}"
    try:
        with open(temporary, "wb") as file:
            file.write(pack(tree, prefix=SHEBANG))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o755)
        os.replace(temporary, out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Build the minipaas zipapp for the interpreter that runs this.")
    parser.add_argument("--out", metavar="FILE", default="minipaas.pyz")
    parser.add_argument(
        "--reuse",
        metavar="PYZ",
        action="append",
        default=[],
        help="take the libraries from this zipapp, if they satisfy our requirements, instead of from PyPI",
    )
    parser.add_argument("--check", action="store_true", help="only print 'reuse' or 'fetch': is the network needed?")
    return parser.parse_args(argv)


def _reused(path: str, scratch: str) -> tuple[Tree, Tree]:
    """The libraries of another zipapp, with compiled parts replaced if they are for another Python."""
    outer = unpack(path)
    light = {n: entry for n, entry in unpack(outer["source.zip"][0]).items() if n.split("/")[0] in LIGHT}
    heavy = unpack(outer["vendor.zip"][0])
    if not native_fits(heavy):
        pins = [line for line in heavy["versions.txt"][0].decode().split() if line.partition("==")[0] in NATIVE]
        sys.stderr.write(f"       its compiled parts are for another Python; fetching {' '.join(pins)}\n")
        site = os.path.join(scratch, "site")
        _pip(["--no-deps", *pins], site)
        fresh = library_tree(site)[1]
        heavy = {n: entry for n, entry in heavy.items() if n.split("/")[0].removesuffix(".libs") not in NATIVE}
        heavy.update({n: entry for n, entry in fresh.items() if n != "versions.txt"})
    return light, heavy


def _fetched(packages: list[str], scratch: str) -> tuple[Tree, Tree]:
    site = os.path.join(scratch, "site")
    _pip(packages, site)
    return library_tree(site)


def _pip(packages: list[str], site: str) -> None:
    """pip install --target, with the interpreter's own pip or one from a throwaway venv. Exits on failure."""
    python = sys.executable
    if not importlib.util.find_spec("pip"):
        python = os.path.join(site + "-venv", "bin", "python")
        subprocess.run([sys.executable, "-m", "venv", site + "-venv"], check=True)
    command = [python, "-m", "pip", "install", "-qq", "--no-compile", "--prefer-binary", "--target", site, *packages]
    environment = {**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PIP_NO_INPUT": "1"}
    if subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode:
        raise SystemExit(" !     pip could not fetch the libraries from PyPI, for the reason above")


def _index(folder: str, light: Tree, scratch: str) -> str:
    """The generated command index, from minipaas_lib.bus.catalog.generate() in a process of its own."""
    if not os.path.exists(os.path.join(folder, "minipaas_lib", "bus", "index.py")):
        return ""
    libraries = os.path.join(scratch, "light.zip")
    with open(libraries, "wb") as file:
        file.write(pack(light))
    code = "import sys; sys.path[:0] = sys.argv[1:]; from minipaas_lib.bus import catalog; print(catalog.generate())"
    command = [sys.executable, "-IBc", code, folder, libraries]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def _read_tree(folder: str, top: str, skipped: set[str] = _SKIPPED_FOLDERS) -> Tree:
    entries: Tree = {}
    for place, folders, files in os.walk(os.path.join(folder, top)):
        folders[:] = [name for name in folders if name not in skipped and not name.startswith(".")]
        for name in files:
            path = os.path.join(place, name)
            if not name.startswith(".") and not name.endswith(_SKIPPED_ENDINGS):
                entries[os.path.relpath(path, folder)] = _read(path)
    return entries


def _read(path: str) -> tuple[bytes, int]:
    with open(path, "rb") as file:
        return file.read(), 0o755 if os.access(path, os.X_OK) else 0o644


def _version(own: Tree) -> str:
    scope: dict = {}
    exec(own["minipaas_lib/__init__.py"][0], scope)
    return scope["__version__"]


def _versions(site: str) -> list[str]:
    """`name==version` of each library in `site`, from the names of its metadata folders."""
    folders = (name.rpartition(".")[0] for name in os.listdir(site) if name.endswith((".dist-info", ".egg-info")))
    return sorted(f"{name.split('-')[0].lower()}=={name.split('-')[1]}" for name in folders)


if __name__ == "__main__":
    with contextlib.suppress(ValueError):  # our folder holds modules with common names; nothing may import them bare
        sys.path.remove(os.path.dirname(os.path.abspath(__file__)))
    sys.exit(main())
