"""Build the deployment package: `python dev.py package` writes dist/app.zip, the same bytes for the same files.

It holds what .funcignore leaves: no installed packages, for Azure installs requirements.txt itself (remote build).
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "dist/app.zip"
LONG_AGO = (2020, 1, 1, 0, 0, 0)


def patterns(root: Path = ROOT) -> list[str]:
    """Read .funcignore: names and paths with * and ?, no negation; raises ValueError for what we do not understand."""
    lines = [line.strip() for line in (root / ".funcignore").read_text(encoding="utf-8").splitlines()]
    found = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    if strange := [line for line in found if line.startswith("!") or "**" in line]:
        raise ValueError(f".funcignore: {strange[0]} is not understood.")
    return found


def is_ignored(path: str, ignored: list[str]) -> bool:
    """Tell whether a path from the root is left out: a pattern with a slash names a path, one without any name."""
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(path if "/" in pattern else name, pattern.lstrip("/")) for pattern in ignored)


def files(root: Path = ROOT) -> Iterator[str]:
    """Yield every path the package holds, in order."""
    ignored = patterns(root)
    for folder, folders, names in os.walk(root):
        base = Path(folder).relative_to(root).as_posix()
        prefix = "" if base == "." else f"{base}/"
        folders[:] = sorted(name for name in folders if not is_ignored(prefix + name, ignored))
        yield from (prefix + name for name in sorted(names) if not is_ignored(prefix + name, ignored))


def build(root: Path = ROOT, target: Path | None = None) -> Path:
    """Write the package and return where it is."""
    target = target or root / PACKAGE
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for path in files(root):
            entry = zipfile.ZipInfo(path, LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            package.writestr(entry, (root / path).read_bytes())
    return target


def main() -> int:
    """Build it and say what it is."""
    target = build()
    with zipfile.ZipFile(target) as package:
        print("\n".join(package.namelist()))
    digest = hashlib.sha256(target.read_bytes()).hexdigest()
    print(f"\n{target.relative_to(ROOT)}: {target.stat().st_size:,} bytes, sha256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
