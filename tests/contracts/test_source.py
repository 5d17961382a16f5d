"""What the source may and may not say, read from the source itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "graph", "workers")
FILES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
KNOW_THE_ORGANIZATION = ("app/core/", "app/identity/", "app/operator/")
COMMITS = {"app/core/work.py", "app/core/unscoped.py"}
MAX_FILE, MAX_FUNCTION = 400, 60


def place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def may_name_it(file: Path) -> bool:
    return place(file).startswith(KNOW_THE_ORGANIZATION)


each = pytest.mark.parametrize("file", FILES, ids=place)


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def names(module: ast.Module) -> Iterator[str]:
    """Every name, attribute, keyword and text in the code, without docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.keyword | ast.arg):
            yield node.arg or ""
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


@pytest.mark.parametrize("file", [f for f in FILES if not may_name_it(f)], ids=place)
def test_only_core_identity_and_operator_know_how_rows_belong_to_an_organization(file: Path) -> None:
    assert [name for name in names(tree(file)) if "organization_id" in name] == []


@pytest.mark.parametrize("file", [f for f in FILES if place(f) not in COMMITS], ids=place)
def test_only_work_commits(file: Path) -> None:
    ends = {"commit", "rollback", "begin", "begin_nested"}
    called = [
        node.func.attr
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ends
        and ast.unparse(node.func.value) != "unscoped"
    ]
    assert called == []


@each
def test_no_import_hides_in_a_function(file: Path) -> None:
    hidden = [
        node.lineno
        for function in functions(tree(file))
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert hidden == []


@each
def test_files_and_functions_stay_readable(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MAX_FILE
    long = [
        f.name for f in functions(tree(file)) if f.end_lineno is not None and f.end_lineno - f.lineno >= MAX_FUNCTION
    ]
    assert long == []


@each
def test_a_module_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(tree(file)) or not file.read_text().strip()


@each
def test_there_are_no_drawers(file: Path) -> None:
    assert file.stem not in {"utils", "util", "helpers", "common", "misc", "manager", "handlers"}


def test_every_package_was_looked_at() -> None:
    assert len(FILES) > 100
