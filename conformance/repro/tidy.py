"""Makes specialised statements pleasant to read: a value that is used once, at once, needs no name."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["loads", "renamed", "text_of", "tidied"]

WIDTH = 110


def tidied(block: Sequence[ast.stmt], later: frozenset[str] = frozenset()) -> list[ast.stmt]:
    """The statements with single-use names put in place; ``later`` are names that what follows still reads."""
    statements = list(block)
    for place in range(len(statements) - 1, -1, -1):
        after = later | frozenset(name for each in statements[place + 1 :] for name in loads(each))
        _inner(statements[place], after)
    place = len(statements) - 2
    while place >= 0:
        if _returned_at_once(statements[place : place + 2]):
            statements[place : place + 2] = [ast.Return(statements[place].value)]  # type: ignore[attr-defined]
        elif _can_merge(statements, place, later):
            statement, following = statements[place], statements[place + 1]
            assert isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
            merged = _Put(statement.targets[0].id, statement.value).visit(_copy(following))
            plain = isinstance(statement.value, ast.Name) or _is_name(following)
            if plain or len(text_of(merged)) <= WIDTH:
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


def renamed(block: Sequence[ast.stmt], old: str, new: str) -> bool:
    """Give what the block assigns once, and its functions do not see, its final name; False where it cannot be."""
    if old == new:
        return True
    names = [each for statement in block for each in ast.walk(statement) if isinstance(each, ast.Name)]
    stored = {id(each) for statement in block for node in ast.walk(statement) for each in _stores(node)}
    mine = [each for each in names if each.id == old]
    scopes = [each for statement in block for each in ast.walk(statement)
              if isinstance(each, ast.FunctionDef | ast.Lambda)]  # fmt: skip
    hidden = any(isinstance(each, ast.Name) and each.id in (old, new) for scope in scopes for each in ast.walk(scope))
    if hidden or any(each.id == new for each in names) or [id(each) in stored for each in mine].count(True) != 1:
        return False
    for each in mine:
        each.id = new
    return True


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


def _is_name(node: ast.stmt) -> bool:
    """Whether a statement returns a name as it is."""
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Name)


def _returned_at_once(pair: Sequence[ast.stmt]) -> bool:
    """Whether a tuple of names is assigned, and the same tuple returned."""
    assigned, returned = pair
    if not (isinstance(assigned, ast.Assign) and isinstance(returned, ast.Return) and returned.value is not None):
        return False
    target = assigned.targets[0]
    return isinstance(target, ast.Tuple) and len(target.elts) > 1 and text_of(target) == text_of(returned.value)


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
