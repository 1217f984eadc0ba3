"""Mutation testing of the SCCP codec: which changes of its code no test notices.

Usage: python bench/mutation.py [--tree DIRECTORY] [MUTANT...]     (default: build/mutation, all mutants)

mutmut runs in a copy of the tree. It leaves decorated functions alone, and most of the codec is `@cache`d or a
property: in the copy each decorator is a call behind its function (`def forms(...)`, then `forms = cache(forms)`).
Workers are forked from a process that has collected the tests and run none, so that no cache is filled
before the mutant is in place; while mutmut notes which test calls which function, tests/sccp/conftest.py empties all
caches before each test. What survives, and why, is in bench/mutation.md. Settings: `tool.mutmut` in pyproject.toml.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parents[1]
COPIED = ("src", "tests/conftest.py", "tests/sccp", "tests/data/sccp", "pyproject.toml")
DECORATORS = {"cache", "lru_cache", "property", "cached_property"}


def main() -> int:
    options = argparse.ArgumentParser(description="Mutation testing of the SCCP codec.")
    options.add_argument("--tree", type=Path, default=HERE / "build" / "mutation", help="where the copy is made")
    options.add_argument("mutants", nargs="*", help="mutants to run again, by name or pattern; default: all")
    given = options.parse_args()
    tree = given.tree.resolve()
    for name in COPIED:
        copy(HERE / name, tree / name)
    settings = tomllib.loads((tree / "pyproject.toml").read_text())["tool"]["mutmut"]
    for pattern in settings["only_mutate"]:
        for module in tree.glob(pattern):
            module.write_text(undecorated(module.read_text()))
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "ci"}
    return subprocess.run(
        [sys.executable, "-m", "mutmut", "run", *given.mutants], cwd=tree, env=environment, check=False
    ).returncode


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pcap"))
    else:
        shutil.copyfile(source, target)


def undecorated(source: str) -> str:
    """The module with each decorator of `DECORATORS` as a call behind its function."""
    lines = source.splitlines()
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef) and len(node.decorator_list) == 1
    ]
    for node in sorted(found, key=lambda node: -node.lineno):
        decorator = ast.unparse(node.decorator_list[0])
        if decorator.partition("(")[0] in DECORATORS and node.end_lineno is not None:
            lines.insert(node.end_lineno, f"{' ' * node.col_offset}{node.name} = {decorator}({node.name})")
            del lines[node.decorator_list[0].lineno - 1]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
