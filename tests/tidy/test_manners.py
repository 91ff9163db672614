"""How the code is written: names, docstrings, a pure core, ignores that say why."""

import ast
import io
import re
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import ROOT, files, is_core, is_generated, python, short, text, tree

EMPTY_WORDS = ("Manager", "Helper", "Util", "Utils", "Service", "Processor")
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
IGNORE = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore|ruff:\s*noqa)\b(.*)")
WITH_CODE_AND_REASON = re.compile(
    r"\s*(:\s*[A-Z]+[0-9]+(\s*,\s*[A-Z]+[0-9]+)*|\[[\w, -]+\])\s*[-#(:,]\s*\S.*"
)


def defined_names(path: Path) -> Iterator[str]:
    yield path.stem
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def test_nothing_is_named_by_a_word_that_says_nothing() -> None:
    empty = {word.lower() for word in EMPTY_WORDS}
    found = [
        f"{short(path)}: {name}"
        for folder in ("src", "tools", "examples", "bench")  # tests are named by what they say
        for path in python(folder, generated=False)
        for name in defined_names(path)
        if empty & {word.lower() for word in WORD.findall(name)}
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", python("src"), ids=short)
def test_a_public_module_says_what_it_is(path: Path) -> None:
    if not path.stem.startswith("_") or path.stem in {"__init__", "__main__"}:
        docstring = ast.get_docstring(tree(path))
        assert docstring, f"{short(path)} has no docstring"


def test_the_core_never_awaits() -> None:
    found = [
        f"{short(path)}:{node.lineno}"
        for path in python("src")
        if is_core(path)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith)
    ]
    assert not found, "\n".join(found)


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_every_ignore_names_its_rule_and_its_reason() -> None:
    found = [
        f"{short(path)}:{line} {match[0]}"
        for path in python(generated=False)
        for line, comment in comments(path)
        if (match := IGNORE.search(comment)) and not WITH_CODE_AND_REASON.fullmatch(_first_ignore(match[2]))
    ]
    assert not found, "\n".join(found)


def _first_ignore(rest: str) -> str:
    """An ignore for another checker may stand between the first one and the reason of both."""
    return re.sub(r"#\s*(pyright|type):\s*ignore\[[^]]*\]\s*(?=#)", "", rest)


def test_every_rule_switched_off_in_pyproject_says_why() -> None:
    inside, found = False, []
    for number, line in enumerate(text(ROOT / "pyproject.toml").splitlines(), 1):
        if re.match(r"(ignore|\"[^\"]*\") = \[", line):
            inside = True
            if line.rstrip().endswith("]") and "#" not in line:
                found.append(f"{number}: {line}")
        if inside and re.match(r'\s+"[A-Z]+[0-9]*"', line) and "#" not in line:
            found.append(f"{number}: {line}")
        inside = inside and "]" not in line.split("#")[0]
    assert not found, "\n".join(found)


def test_no_two_test_files_share_a_name() -> None:
    names = Counter(path.name for path in python("tests") if path.name != "__init__.py")
    assert not [name for name, count in names.items() if count > 1]


def test_no_test_is_skipped_empty_or_asleep() -> None:
    skipping = re.compile(r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)\b")
    found = []
    for path in python("tests"):
        found += [f"{short(path)}: {match[0]}" for match in skipping.finditer(_code(path))]
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                body = [each for each in node.body if not isinstance(each, ast.Pass | ast.Expr)]
                calls = [each for each in ast.walk(node) if isinstance(each, ast.Assert | ast.Call)]
                if not body and not calls:
                    found.append(f"{short(path)}:{node.lineno} {node.name} is empty")
    assert not found, "\n".join(found)


def _code(path: Path) -> str:
    """A file without its strings and comments."""
    tokens = tokenize.generate_tokens(io.StringIO(text(path)).readline)
    return "".join(token.string for token in tokens if token.type not in {tokenize.STRING, tokenize.COMMENT})


def test_python_files_are_read_as_generated_only_where_a_tool_makes_them() -> None:
    generated = {short(path) for path in python() if is_generated(path)}
    assert all(name.startswith("src/onhook/acs/") for name in generated), generated


def test_one_name_for_one_thing_in_the_settings_of_the_tools() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    named = {name.strip() for layer in layers for name in layer.split("|")}
    present = {
        path.relative_to(ROOT / "src/onhook").parts[0].removesuffix(".py")
        for path in files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "src/onhook")
    }
    assert present - {"__init__", "__main__"} == named
