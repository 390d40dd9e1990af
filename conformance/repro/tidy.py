"""Makes specialised statements pleasant to read: a value that is used once, at once, needs no name."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["loads", "text_of", "tidied"]

WIDTH = 110


def tidied(block: Sequence[ast.stmt], later: frozenset[str] = frozenset()) -> list[ast.stmt]:
    """The statements with single-use names put in place; ``later`` are names that what follows still reads."""
    statements = list(block)
    for place in range(len(statements) - 1, -1, -1):
        after = later | frozenset(name for each in statements[place + 1 :] for name in loads(each))
        _inner(statements[place], after)
    place = len(statements) - 2
    while place >= 0:
        if _can_merge(statements, place, later):
            statement, following = statements[place], statements[place + 1]
            assert isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            merged = _Put(statement.targets[0].id, statement.value).visit(_copy(following))
            if len(text_of(merged)) <= WIDTH or isinstance(statement.value, ast.Name):
                statements[place : place + 2] = [merged]
                place = min(place + 1, len(statements) - 1)
        place -= 1
    return statements


def loads(node: ast.AST) -> list[str]:
    """The names that a statement reads, as often as it does."""
    stored = {id(each) for each in _stores(node)}
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and id(each) not in stored]


def text_of(node: ast.AST) -> str:
    """The statement as text."""
    return ast.unparse(ast.fix_missing_locations(node))


def _stores(node: ast.AST) -> list[ast.Name]:
    found: list[ast.Name] = []
    for each in ast.walk(node):
        if isinstance(each, ast.Assign):
            for target in each.targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                found += [part for part in parts if isinstance(part, ast.Name)]
        elif isinstance(each, ast.withitem) and isinstance(each.optional_vars, ast.Name):
            found.append(each.optional_vars)
    return found


def _inner(node: ast.stmt, later: frozenset[str]) -> None:
    if isinstance(node, ast.FunctionDef):
        node.body = tidied(node.body)
    elif isinstance(node, ast.With):
        node.body = tidied(node.body, later)
    elif isinstance(node, ast.If):
        node.body = tidied(node.body, later)
        node.orelse = tidied(node.orelse, later)


def _can_merge(statements: Sequence[ast.stmt], place: int, later: frozenset[str]) -> bool:
    statement, following = statements[place], statements[place + 1]
    if not (isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)):
        return False
    if not isinstance(following, ast.Assign | ast.Expr | ast.Return):
        return False
    name = statement.targets[0].id
    if loads(following).count(name) != 1 or _inside_function(following, name):
        return False
    if any(each.id == name for each in _stores(following)):
        return True
    return name not in later and not any(name in loads(each) for each in statements[place + 2 :])


def _inside_function(node: ast.stmt, name: str) -> bool:
    return any(name in loads(each) for each in ast.walk(node) if isinstance(each, ast.Lambda))


def _copy(node: ast.stmt) -> ast.stmt:
    import copy

    return copy.deepcopy(node)


class _Put(ast.NodeTransformer):
    """Puts an expression in place of a name that is read, not where it is assigned."""

    def __init__(self, name: str, value: ast.expr) -> None:
        self.name = name
        self.value = value

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        """Only the right side."""
        node.value = self.visit(node.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The expression, where it is the name."""
        return self.value if node.id == self.name else node
