"""A base image for Python, made of this machine's own files: nothing is pulled.

It stands for ``python:3.x-slim``: Python and pip under /usr/local, a shell, the small commands, the C++ runtime and
time zones. Its certificates are the public ones, so that a build which needs this machine's must be given them, as with
the official image.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final

import certifi
import pip

from tests.containers import client
from tests.containers.home import ContainersError
from tests.containers.packages import which

LABEL: Final = "dagster-hybrid.test-base"
VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

_COMMANDS: Final = """
sh bash cat ls mkdir rm rmdir cp mv ln chmod chown id env sleep touch head tail date uname test true false tr sort uniq
wc mktemp install stat tee basename dirname printf echo expr timeout kill cut du df find xargs grep sed tar gzip ps
hostname getent readlink realpath sha256sum groupadd useradd pwd seq nproc whoami
"""
_LIBRARIES: Final = """
libstdc++.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libm.so.6 libresolv.so.2
libnss_files.so.2 libnss_dns.so.2
"""
_LEFT_OUT: Final = frozenset({"test", "tests", "idlelib", "tkinter", "turtledemo", "site-packages", "dist-packages"})
_STDLIB: Final = Path(sysconfig.get_path("stdlib"))
_IN_IMAGE: Final = f"usr/local/lib/python{VERSION}"
_FILES: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/shadow": "",
    "etc/gshadow": "",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/login.defs": "",
    "etc/os-release": 'ID=debian\nNAME="Test base"\nPRETTY_NAME="Base image of tests"\n',
}


def ensure(docker: str, environ: Mapping[str, str], reference: str) -> None:
    """Make and push ``reference``, unless the engine has it with this recipe's label."""
    if sys.platform != "linux":
        _take_official(docker, environ, reference)
        return
    wanted = fingerprint()
    if _label(docker, environ, reference) != wanted:
        _make(docker, environ, reference, wanted)
    push(docker, environ, reference)


def push(docker: str, environ: Mapping[str, str], reference: str) -> None:
    """Push ``reference``: quick when the registry has its layers."""
    client.run(docker, environ, "push", "--quiet", reference, seconds=300)


def fingerprint() -> str:
    """What the image is made of: this file, and the Python that runs it."""
    python = Path(sys.executable).resolve()
    made_of = f"{Path(__file__).read_text()}\n{python}\n{sys.version}\n{python.stat().st_mtime_ns}\n{pip.__version__}"
    return hashlib.sha256(made_of.encode()).hexdigest()[:24]


def _label(docker: str, environ: Mapping[str, str], reference: str) -> str:
    asked = f'{{{{index .Config.Labels "{LABEL}"}}}}'
    try:
        return client.run(docker, environ, "image", "inspect", "--format", asked, reference)
    except ContainersError:
        return ""


def _take_official(docker: str, environ: Mapping[str, str], reference: str) -> None:
    """Where this machine's files run in no container, Docker's own image."""
    official = f"python:{VERSION}-slim"
    client.run(docker, environ, "pull", "--quiet", official, seconds=600)
    client.run(docker, environ, "tag", official, reference)
    push(docker, environ, reference)


def _make(docker: str, environ: Mapping[str, str], reference: str, wanted: str) -> None:
    changes = [
        "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "ENV LANG=C.UTF-8",
        f"ENV PYTHON_VERSION={sys.version.split()[0]}",
        'CMD ["python3"]',
        f"LABEL {LABEL}={wanted}",
    ]
    options = [part for change in changes for part in ("--change", change)]
    with tempfile.TemporaryFile() as file:
        _write_tar(file, environ)
        file.seek(0)
        done = subprocess.run(
            [docker, "import", *options, "-", reference],
            env=dict(environ),
            stdin=file,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise ContainersError(f"docker import of the base image failed: {done.stderr.decode(errors='replace').strip()}")


def _write_tar(file: BinaryIO, environ: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        _lay_out(root, environ)
        with tarfile.open(fileobj=file, mode="w") as tar:
            tar.add(root, arcname=".", filter=_owned_by_root)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    if entry.name in ("./tmp", "./var/tmp"):
        entry.mode = 0o1777
    elif entry.isdir():
        entry.mode = 0o755
    return entry


def _lay_out(root: Path, environ: Mapping[str, str]) -> None:
    for folder in ("usr/local/bin", "usr/bin", "usr/lib", "usr/sbin", "etc/ssl/certs", "etc/ld.so.conf.d", "tmp"):
        (root / folder).mkdir(parents=True)
    for folder in ("var/tmp", "root", "home", "proc", "sys", "dev", "run", "opt", "srv", "mnt"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        if (host := Path("/", name)).is_symlink():
            (root / name).symlink_to(host.readlink())
            (
                root / host.readlink().relative_to("/") if host.readlink().is_absolute() else root / host.readlink()
            ).mkdir(parents=True, exist_ok=True)
    programs = [_put_python(root), *_put_commands(root, environ)]
    _put_libraries(root, [*programs, *(root / _IN_IMAGE / "lib-dynload").glob("*.so")], environ)
    for name, text in _FILES.items():
        (root / name).write_text(text)
    shutil.copyfile(certifi.where(), root / "etc/ssl/certs/ca-certificates.crt")
    if Path("/usr/share/zoneinfo").is_dir():
        left_out = shutil.ignore_patterns("right", "posix")
        shutil.copytree("/usr/share/zoneinfo", root / "usr/share/zoneinfo", symlinks=True, ignore=left_out)


def _put_python(root: Path) -> Path:
    """Python, its standard library as bytecode too (a container starts in a third of the time), and pip."""
    python = Path(sys.executable).resolve()
    folder = root / "usr/local/bin"
    placed = folder / f"python{VERSION}"
    shutil.copy2(python, placed)
    for name in ("python3", "python"):
        (folder / name).symlink_to(placed.name)
    shutil.copytree(_STDLIB, root / _IN_IMAGE, ignore=_without_tests, symlinks=True)
    packages = root / _IN_IMAGE / "site-packages"
    packages.mkdir(exist_ok=True)
    source = Path(pip.__file__).parent
    for part in (source, *source.parent.glob("pip-*.dist-info")):
        shutil.copytree(part, packages / part.name)
    for name in ("pip", "pip3"):
        script = folder / name
        script.write_text(
            f"#!/usr/local/bin/python{VERSION}\nfrom pip._internal.cli.main import main\n\nraise SystemExit(main())\n"
        )
        script.chmod(0o755)
    return python


def _without_tests(folder: str, names: list[str]) -> list[str]:
    left = [name for name in names if name in _LEFT_OUT or name.endswith((".opt-1.pyc", ".opt-2.pyc"))]
    if Path(folder) == _STDLIB:
        left += [name for name in names if name.startswith("config-")]
    return left


def _put_commands(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    for name in _COMMANDS.split():
        found = which(name, {**environ, "PATH": "/usr/bin:/bin"})
        if found is None:
            continue
        real = Path(found).resolve()
        folder = "usr/sbin" if real.parent.name == "sbin" else "usr/bin"
        shutil.copy2(real, root / folder / name)
        yield real


def _put_libraries(root: Path, programs: list[Path], environ: Mapping[str, str]) -> None:
    ldconfig = which("ldconfig", environ) or "ldconfig"
    cached = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    machine = _class_of(Path(sys.executable).resolve())
    wanted: set[Path] = set()
    for name in _LIBRARIES.split():
        found = [Path(path) for path in re.findall(rf"^\s*{re.escape(name)} .*=> (\S+)$", cached, re.MULTILINE)]
        wanted.update(path for path in found if _class_of(path) == machine)
    linked = subprocess.run(
        ["ldd", *map(str, [*programs, *wanted])], capture_output=True, text=True, check=False
    ).stdout
    wanted.update(Path(path) for path in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", linked, re.MULTILINE))
    for library in wanted:
        system = library.is_relative_to("/lib") or library.is_relative_to("/usr/lib") or library.parent.name == "lib64"
        folder = library.parent.resolve() if system else Path("/usr/local/lib")
        placed = root / folder.relative_to("/") / library.name
        placed.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(library.resolve(), placed)
    folders = {str(library.parent.resolve()) for library in wanted if library.is_relative_to("/lib")}
    (root / "etc/ld.so.conf").write_text("\n".join(["/usr/local/lib", *sorted(folders)]) + "\n")
    subprocess.run([ldconfig, "-r", str(root)], check=True, capture_output=True)


def _class_of(library: Path) -> bytes:
    """The word size and machine in a file's ELF header: a machine may hold libraries of two."""
    with library.open("rb") as file:
        header = file.read(20)
    return header[4:5] + header[18:20]


def certificates(environ: Mapping[str, str]) -> Path | None:
    """The bundle that this machine's programs are told to trust and containers then need; None where there is none."""
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        given = environ.get(name)
        if given and Path(given).is_file() and os.path.realpath(given) != os.path.realpath(certifi.where()):
            return Path(given)
    return None
