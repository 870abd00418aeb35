"""Lays out the root of the image: the interpreter, the libraries that are really loaded, and our environment.

The base image's shell, package manager and documentation stay behind. `system` changes with the base image and
the dependencies; `product` holds the environment. Runs in the build, with nothing but the standard library.
"""

from __future__ import annotations

import argparse
import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

USER = 65532
PASSWD = f"root:x:0:0:root:/root:/sbin/nologin\nrollback:x:{USER}:{USER}:rollback:/tmp:/sbin/nologin\n"
GROUP = f"root:x:0:\nrollback:x:{USER}:\n"
NSSWITCH = "passwd: files\ngroup: files\nhosts: files dns\n"
NOT_NEEDED = (
    *(
        "config-*",
        "dist-packages",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tests",
    ),
    *(
        "tkinter",
        "turtledemo",
        "__pycache__",
        "_tkinter*.so",
        "_test*.so",
        "_ctypes_test*.so",
        "EXTERNALLY-MANAGED",
    ),
)
"""What of the standard library stays behind."""
NOT_LOADED = ("kubernetes/aio",)
"""Packages of the environment that nothing of ours imports, and that weigh more than all of our own code."""
SELDOM_LOADED = re.compile(r"/kubernetes/client/(api|models)/")
"""Left uncompiled: we speak to clusters without these 1,200 modules, whose bytecode is another 24 MB."""
PROGRAMS = ("python", "python3", "rollbackctl")
"""What may be called; the dependencies' own commands stay behind."""
ROOT_LINKS = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
"""Where Debian has merged these into /usr they are links, and the loader's path goes through one."""
OPENED_LATER = ("libgcc_s.so.1",)
"""Loaded by name when a thread is cancelled, so no program says that it needs them."""
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
DPKG = Path("/var/lib/dpkg")


def main() -> None:
    """Lay out both parts of the root below a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--environment", type=Path, required=True)
    asked = parser.parse_args()
    system, product = asked.into / "system", asked.into / "product"
    lay_out_system(system, asked.environment)
    lay_out_product(product, asked.environment)


def lay_out_system(root: Path, environment: Path) -> None:
    """Lay out what our environment stands on."""
    root.mkdir(parents=True)
    for name in ROOT_LINKS:
        if (link := Path("/", name)).is_symlink():
            (root / "usr" / name).mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(link.readlink())
    library = Path(sysconfig.get_paths()["stdlib"])
    shutil.copytree(library, below(root, library), ignore=shutil.ignore_patterns(*NOT_NEEDED), symlinks=True)
    interpreter = Path(sys.executable)
    copied = {*copy(interpreter, root), *copy(Path(sys.base_prefix, "bin/python3"), root)}
    copied |= copy((environment / "bin/python").resolve(), root)
    programs = [interpreter.resolve(), *binaries(below(root, library)), *binaries(environment)]
    needed = {path for path in libraries(programs) if not path.is_relative_to(environment)}
    for path in needed:
        copied |= copy(path, root)
    copied |= copy(CERTIFICATES, root)
    copied |= copy(Path("/etc/os-release"), root)
    for name, text in {"passwd": PASSWD, "group": GROUP, "nsswitch.conf": NSSWITCH}.items():
        write(root / "etc" / name, text)
    (root / "etc/rollback-controller").mkdir()
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    for kept in (library, DPKG):
        below(root, kept).mkdir(parents=True, exist_ok=True)
    keep_origin(copied | {library / "os.py"}, root)
    folders = sorted({str(path.parent.resolve()) for path in needed})
    write(root / "etc/ld.so.conf", "".join(f"{folder}\n" for folder in folders))
    subprocess.run(["/sbin/ldconfig", "-r", str(root)], check=True)
    shutil.rmtree(root / "var/cache", ignore_errors=True)
    compile_all(below(root, library), root)


def lay_out_product(root: Path, environment: Path) -> None:
    """Copy the environment, compiled: nobody can write bytecode where it runs."""
    there = below(root, environment)
    shutil.copytree(environment, there, symlinks=True)
    for entry in (there / "bin").iterdir():
        if entry.name not in PROGRAMS:
            entry.unlink()
    (there / "bin/python").unlink()
    (there / "bin/python").symlink_to((environment / "bin/python").resolve())
    for name in NOT_LOADED:
        shutil.rmtree(next((there / "lib").glob("python*/site-packages")) / name)
    compile_all(there, root)


def below(root: Path, path: Path) -> Path:
    """Return where a path of this machine lies in the image."""
    return root / path.relative_to("/")


def write(path: Path, text: str) -> None:
    """Write a file that everybody may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def copy(path: Path, root: Path) -> set[Path]:
    """Copy a file and, of a link, all that it leads through; return their paths."""
    path = path.parent.resolve() / path.name
    there = below(root, path)
    if there.is_symlink() or there.exists():
        return {path}
    there.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        there.symlink_to(path.readlink())
        return {path, *copy(path.parent / path.readlink(), root)}
    shutil.copy2(path, there)
    there.chmod(there.stat().st_mode & 0o755)  # no set-uid bit, and nothing for everybody to write
    return {path}


def binaries(folder: Path) -> Iterator[Path]:
    """Find programs and libraries by their first bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def libraries(programs: Iterable[Path]) -> set[Path]:
    """Ask the loader what these load, all the way down; a library that is not there breaks the build."""
    paths = [str(path) for path in programs]
    done = subprocess.run(["/usr/bin/ldd", *paths], capture_output=True, text=True, check=False)
    if missing := sorted(set(re.findall(r"(\S+) => not found", done.stdout))):
        raise SystemExit(f"not in the base image: {', '.join(missing)}")
    found = {Path(path) for path in re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", done.stdout, re.MULTILINE)}
    beside = {path.parent for path in found if path.name.startswith("libc.so")}
    return found | {folder / name for folder in beside for name in OPENED_LATER if (folder / name).exists()}


def keep_origin(copied: set[Path], root: Path) -> None:
    """Keep the copyright and the version of each Debian package that files come from, for people and scanners."""
    for package in sorted(packages(copied)):
        name = package.partition(":")[0]
        said = subprocess.run(
            ["/usr/bin/dpkg-query", "--status", package], capture_output=True, text=True, check=True
        )
        write(below(root, DPKG / "status.d" / name), said.stdout)
        text = Path("/usr/share/doc", name, "copyright")
        if text.exists():
            write(below(root, text), text.read_text(errors="replace"))


def packages(files: set[Path]) -> set[str]:
    """Name the packages that these files come from; what is not Debian's comes from none."""
    names = {str(path) for path in files}
    names |= {name.removeprefix("/usr") for name in names}  # Debian lists some by the path before the merge
    asked = subprocess.run(
        ["/usr/bin/dpkg-query", "--search", *sorted(names)], capture_output=True, text=True, check=False
    )
    return {owner for line in asked.stdout.splitlines() for owner in line.rpartition(": ")[0].split(", ") if owner}


def compile_all(folder: Path, root: Path) -> None:
    """Compile with checks of neither time nor content: the files cannot change any more."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    done = compileall.compile_dir(
        folder,
        maxlevels=50,
        rx=SELDOM_LOADED,
        quiet=1,
        stripdir=str(root),
        prependdir="/",
        workers=0,
        invalidation_mode=unchecked,
    )
    if not done:
        raise SystemExit(f"not everything below {folder} could be compiled")


if __name__ == "__main__":
    main()
