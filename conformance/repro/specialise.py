"""Partial evaluation of an adapter's methods: statements.

What is known of a call (its options, the shapes and dtypes of its tensors, the mode) decides branches and drops them;
small helpers are inlined; what is left are the calls of the framework that the adapter makes, as plain statements.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

from conformance.repro.expressions import Expressions, Frame
from conformance.repro.values import Code, Const, Function, Instance, Items, NotSpecialised, Pairs, Value

__all__ = ["Specialiser"]

MOST_ROUNDS = 16


class Specialiser(Expressions):
    """Runs functions of a program on partly known values; what is not known goes into ``block`` as statements."""

    def run(self, body: list[ast.stmt], frame: Frame) -> Value | None:
        """Execute statements; the value that they return, None where they come to their end."""
        for statement in body:
            result = self._statement(statement, frame)
            if result is not None:
                return result
        return None

    def _statement(self, node: ast.stmt, frame: Frame) -> Value | None:
        match node:
            case ast.Return():
                if frame.undecided:
                    raise NotSpecialised("it returns from within a branch that the inputs do not decide")
                return Const(None) if node.value is None else self.evaluate(node.value, frame)
            case ast.Expr():
                self._expression(node.value, frame)
            case ast.Assign(targets=[target]):
                self._assign(target, self.evaluate(node.value, frame), frame)
            case ast.Assign():
                value = self.evaluate(node.value, frame)
                for target in node.targets:
                    self._assign(target, value, frame)
            case ast.AnnAssign():
                if node.value is not None:
                    self._assign(node.target, self.evaluate(node.value, frame), frame)
            case ast.AugAssign():
                operation = ast.BinOp(_loaded(node.target), node.op, node.value)
                self._assign(node.target, self.evaluate(operation, frame), frame)
            case ast.If():
                return self._if(node, frame)
            case ast.For():
                return self._for(node, frame)
            case ast.With():
                return self._with(node, frame)
            case ast.FunctionDef():
                frame.names[node.name] = Function(node, frame.module, frame.visible())
            case ast.Raise():
                self._raise(node, frame)
            case ast.Pass() | ast.Global() | ast.Nonlocal() | ast.Import() | ast.ImportFrom() | ast.Assert():
                self._name_imports(node, frame)
            case _:
                raise NotSpecialised(f"a {type(node).__name__} statement")
        return None

    def _name_imports(self, node: ast.stmt, frame: Frame) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                frame.names.pop(alias.asname or alias.name.partition(".")[0], None)

    def _expression(self, node: ast.expr, frame: Frame) -> None:
        if isinstance(node, ast.Constant):
            return  # a docstring
        value = self.evaluate(node, frame)
        if isinstance(value, Code) and not isinstance(value.node, ast.Name):
            self.emit(ast.Expr(value.node))

    def _raise(self, node: ast.Raise, frame: Frame) -> None:
        if not frame.undecided:
            text = "" if node.exc is None else ast.unparse(node.exc)
            raise NotSpecialised(f"the adapter raises {text}")
        error = None if node.exc is None else self.reify(self.evaluate(node.exc, frame))
        self.emit(ast.Raise(error, None))

    # -- assignment ---------------------------------------------------------------------------------------------------

    def _assign(self, target: ast.expr, value: Value, frame: Frame) -> None:
        match target:
            case ast.Name():
                self.bind(target.id, value, frame)
            case ast.Tuple() | ast.List():
                self._unpack(target, value, frame)
            case ast.Attribute():
                owner = self.evaluate(target.value, frame)
                if isinstance(owner, Instance) and not frame.undecided:
                    owner.attributes[target.attr] = value
                else:
                    self.emit(ast.Assign([ast.Attribute(self.reify(owner), target.attr)], self.reify(value)))
            case ast.Subscript():
                self._assign_item(target, value, frame)
            case _:
                raise NotSpecialised(f"an assignment to {ast.unparse(target)}")

    def _assign_item(self, target: ast.Subscript, value: Value, frame: Frame) -> None:
        owner, key = self.evaluate(target.value, frame), self.evaluate(target.slice, frame)
        if isinstance(owner, Pairs) and not frame.undecided:
            owner.entries[self.key(key)] = value
        else:
            self.emit(ast.Assign([ast.Subscript(self.reify(owner), self.reify(key))], self.reify(value)))

    def _unpack(self, target: ast.Tuple | ast.List, value: Value, frame: Frame) -> None:
        if isinstance(value, Items):
            if len(value.items) != len(target.elts):
                raise NotSpecialised(f"{len(value.items)} values for {ast.unparse(target)}")
            for each, item in zip(target.elts, value.items, strict=True):
                self._assign(each, item, frame)
            return
        if not all(isinstance(each, ast.Name) for each in target.elts):
            raise NotSpecialised(f"an assignment to {ast.unparse(target)}")
        code = self.reify(value)
        names = [self.fresh(each.id, frame) for each in target.elts if isinstance(each, ast.Name)]
        self.emit(ast.Assign([ast.Tuple([ast.Name(name) for name in names])], code))
        for each, name in zip(target.elts, names, strict=True):
            assert isinstance(each, ast.Name)
            frame.names[each.id] = Code(ast.Name(name))

    # -- branches and blocks ------------------------------------------------------------------------------------------

    def _if(self, node: ast.If, frame: Frame) -> Value | None:
        test = self.evaluate(node.test, frame)
        decided = self.truth(test)
        if decided is not None:
            return self.run(node.body if decided else node.orelse, frame)
        self._settle(node, frame)
        frame.undecided += 1
        with self.inside() as body:
            self.run(node.body, frame)
        with self.inside() as otherwise:
            self.run(node.orelse, frame)
        frame.undecided -= 1
        if not frame.undecided:
            frame.fixed.clear()
        if body or otherwise:
            self.emit(ast.If(self.reify(test), body or [ast.Pass()], otherwise))
        return None

    def _settle(self, node: ast.stmt, frame: Frame) -> None:
        """Give every name that the branches assign one name in the script, which holds its value so far."""
        assigned = {
            each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
        }
        for name in sorted(assigned - frame.fixed.keys()):
            value = frame.names.get(name)
            if isinstance(value, Function | Instance | Pairs):
                raise NotSpecialised(f"{name} depends on what the inputs do not decide")
            if value is not None:
                target = self.fresh(name, frame)
                if not (isinstance(value, Code) and isinstance(value.node, ast.Name) and value.node.id == target):
                    self.emit(ast.Assign([ast.Name(target)], self.reify(value)))
            else:
                target = self.fresh(name, frame)
            frame.names[name] = Code(ast.Name(target))
            frame.fixed[name] = target

    def _for(self, node: ast.For, frame: Frame) -> Value | None:
        values = self.items(self.evaluate(node.iter, frame))
        if values is None or len(values) > MOST_ROUNDS or node.orelse:
            raise NotSpecialised("a loop over what is not known")
        if any(isinstance(each, ast.Break | ast.Continue) for each in ast.walk(node)):
            raise NotSpecialised("a loop that is left early")
        for each in values:
            self._assign(node.target, each, frame)
            result = self.run(node.body, frame)
            if result is not None:
                return result
        return None

    def _with(self, node: ast.With, frame: Frame) -> Value | None:
        items = []
        for item in node.items:
            context = self.reify(self.evaluate(item.context_expr, frame))
            name = None
            if isinstance(item.optional_vars, ast.Name):
                name = ast.Name(self.fresh(item.optional_vars.id, frame))
                frame.names[item.optional_vars.id] = Code(name)
            elif item.optional_vars is not None:
                raise NotSpecialised("a with statement that unpacks")
            items.append(ast.withitem(context, name))
        with self.inside() as body:
            result = self.run(node.body, frame)
            if result is not None:
                result = self.named(result, frame)
        self.emit(ast.With(items, body or [ast.Pass()]))
        return result

    def named(self, value: Value, frame: Frame) -> Value:
        """The value under a name, so that it outlives the block in which it is computed."""
        if isinstance(value, Items):
            return Items([self.named(each, frame) for each in value.items], value.kind)
        if isinstance(value, Code) and not isinstance(value.node, ast.Name):
            name = self.fresh("result", frame)
            self.emit(ast.Assign([ast.Name(name)], value.node))
            return Code(ast.Name(name), value.facts)
        return value

    @contextmanager
    def inside(self) -> Iterator[list[ast.stmt]]:
        """Collect what is emitted in a block of its own."""
        outer, self.block = self.block, []
        try:
            yield self.block
        finally:
            self.block = outer


def _loaded(target: ast.expr) -> ast.expr:
    loaded: ast.expr = ast.parse(ast.unparse(target), mode="eval").body
    return loaded
