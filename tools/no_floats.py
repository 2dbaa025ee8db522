"""Fails where a float could touch money: exact values are `Decimal` or `int`, always.

Forbidden in core, cex, chains, dex and daemon: float literals, every use of the name `float`
(calls, annotations), and the functions of `math` that answer with floats. Seconds are floats in
asyncio and in clocks, so names that say they are times are free, and so is asking
`isinstance(x, float)`. Anything else is marked on its line, with the reason:

    ratio = hits / 1.5  # float: a statistic, shown to people only
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("core", "cex", "chains", "dex", "daemon")

# path, or folder ending in "/" -> why floats are all right in all of it
ALLOWED_FILES: dict[str, str] = {}

# Variables, parameters, fields and functions that are times, not money.
TIME_NAME = re.compile(
    r"""(^|_)(
        seconds | secs | timeouts? | delays? | intervals? | backoff | jitter | deadlines? | elapsed
      | wait | sleep | period | ttl | monotonic | uptime | latency | age | grace | heartbeat
      | until | every
    )(_|$)""",
    re.VERBOSE | re.IGNORECASE,
)
# Calls whose numbers are seconds.
TIME_CALLS = {"sleep", "timeout", "timeout_at", "wait_for", "wait", "call_later", "call_at"}
EXACT_MATH = {"ceil", "comb", "floor", "gcd", "isqrt", "lcm", "perm", "prod"}
MARK = re.compile(r"#\s*float:\s*\S")

Found = tuple[int, str]


def check(source: str, name: str = "<source>") -> list[Found]:
    """Line and complaint for each float of a module."""
    tree = ast.parse(source, name)
    lines = source.splitlines()
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node, complaint in _floats(tree):
        above = list(_ancestors(node, parents))
        if not _is_time(node, above) and not _is_marked(node, lines):
            found.append((node.lineno, complaint))
    return sorted(found)


def _floats(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node, f"float literal {node.value!r}"
            case ast.Name(id="float"):
                yield node, "the type float"
            case ast.Attribute(value=ast.Name(id="math")) if node.attr not in EXACT_MATH:
                yield node, f"math.{node.attr} answers with a float"


def _ancestors(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[tuple[ast.AST, ast.AST]]:
    """(child, parent), from the node up to and including its statement."""
    while node in parents:
        parent = parents[node]
        yield node, parent
        if isinstance(parent, ast.stmt):
            return
        node = parent


def _is_time(node: ast.expr, above: list[tuple[ast.AST, ast.AST]]) -> bool:
    """Whether the nearest names around the node say that it is a time."""
    for child, parent in above:
        match parent:
            case ast.Call(func=func) if child is not func:
                called = _name(func)
                if called in TIME_CALLS or TIME_NAME.search(called):
                    return True
                # Only asks for the type, to refuse it.
                if called == "isinstance" and isinstance(node, ast.Name):
                    return True
            case ast.keyword(arg=str(name)) | ast.arg(arg=name):
                return bool(TIME_NAME.search(name))
            case ast.arguments():
                return bool(TIME_NAME.search(_of_default(parent, child)))
            case ast.Assign(targets=targets):
                return any(TIME_NAME.search(_name(target)) for target in targets)
            case ast.AnnAssign(target=target) | ast.AugAssign(target=target):
                return bool(TIME_NAME.search(_name(target)))
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                return bool(TIME_NAME.search(name))
            case ast.Compare():
                sides = [parent.left, *parent.comparators]
                if any(TIME_NAME.search(_name(side)) for side in sides):
                    return True
    return False


def _of_default(arguments: ast.arguments, default: ast.AST) -> str:
    """The name of the parameter that has this default."""
    positional = [*arguments.posonlyargs, *arguments.args]
    with_default = positional[len(positional) - len(arguments.defaults) :]
    pairs = [
        *zip(with_default, arguments.defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return next((arg.arg for arg, value in pairs if value is default), "")


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=func):
            return _name(func)
        case ast.Subscript(value=value):
            return _name(value)
    return ""


def _is_marked(node: ast.expr, lines: list[str]) -> bool:
    span = lines[node.lineno - 1 : (node.end_lineno or node.lineno)]
    return any(MARK.search(line) for line in span)


def is_allowed(path: str) -> bool:
    return any(
        path == entry or (entry.endswith("/") and path.startswith(entry)) for entry in ALLOWED_FILES
    )


def main() -> int:
    files = found = 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT).as_posix()
            if is_allowed(relative):
                continue
            files += 1
            for line, complaint in check(path.read_text(), relative):
                found += 1
                print(f"{relative}:{line}: {complaint}")
    print(f"{files} files, {found} floats")
    if found:
        print("use Decimal or int; where it is no money, end the line with `# float: reason`")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
