"""Small faults of the kind that people make, found in a program by walking over its syntax tree."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
COUNTED: dict[type[ast.operator], str] = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}
EXTREMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Fault:
    """One small fault.

    Parameters
    ----------
    file : str
        Path from the root of the tree.
    place : str
        Name of the function or class that it is in.
    kind : str
        What was changed.
    before, after : str
        The text that is replaced, and by what.
    start, end : int
        Where that text is, in bytes.
    line : int
    """

    file: str
    place: str
    kind: str
    before: str
    after: str
    start: int
    end: int
    line: int

    def key(self) -> tuple[str, str, str, str]:
        """What identifies it while other lines of the file move."""
        return self.file, self.place, " ".join(self.before.split()), " ".join(self.after.split())

    def planted(self, text: bytes) -> bytes:
        """The file with this fault."""
        return text[: self.start] + self.after.encode() + text[self.end :]

    def diff(self, text: bytes) -> str:
        """What it changes, for people."""
        old, new = (x.decode().splitlines() for x in (text, self.planted(text)))
        lines = difflib.unified_diff(old, new, lineterm="", n=1)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def faults(root: Path, file: str) -> list[Fault]:
    """Every fault that can be planted into a file.

    Parameters
    ----------
    root : Path
        Of the tree.
    file : str
    """
    text = (root / file).read_bytes()
    lines = [0]
    for line in text.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def span(node: ast.AST) -> tuple[int, int]:
        return lines[node.lineno - 1] + node.col_offset, lines[node.end_lineno - 1] + node.end_col_offset

    found = []
    for place, node, parent in _walk(ast.parse(text)):
        for kind, (start, end), after in _changes(node, parent, span, text):
            line = text.count(b"\n", 0, start) + 1
            found.append(Fault(file, place, kind, text[start:end].decode(), after, start, end, line))
    return found


def _walk(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """Nodes of what runs, with the function they are in and the node above; annotations and ``__all__`` say nothing."""
    todo: list[tuple[str, ast.AST, ast.AST]] = [("", tree, tree)]
    while todo:
        place, node, parent = todo.pop()
        yield place, node, parent
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            place = f"{place}.{node.name}".strip(".")
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list", "type_params", "bases"):
                continue
            children = [c for c in (value if isinstance(value, list) else [value]) if isinstance(c, ast.AST)]
            todo += [(place, child, node) for child in children if not isinstance(child, ast.Import | ast.ImportFrom)]


def _changes(node: ast.AST, parent: ast.AST, span, text: bytes) -> Iterator[tuple[str, tuple[int, int], str]]:
    """What can be changed about one node: the kind, where, and the new text."""

    def source(part: ast.AST) -> str:
        start, end = span(part)
        written = text[start:end].decode()
        return f"({written})" if isinstance(part, ast.NamedExpr) else written

    match node:
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARED:
            yield "comparison", span(node), f"{source(left)} {COMPARED[type(op)]} {source(right)}"
        case ast.Compare(left=left, ops=[first, second], comparators=[middle, right]):
            for a, b in ((COMPARED[type(first)], _word(second)), (_word(first), COMPARED[type(second)])):
                yield "comparison", span(node), f"{source(left)} {a} {source(middle)} {b} {source(right)}"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in COUNTED and not isinstance(
            left, ast.Constant | ast.JoinedStr
        ):
            yield "operator", span(node), f"{source(left)} {COUNTED[type(op)]} {source(right)}"
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in COUNTED:
            yield "operator", span(node), f"{source(target)} {COUNTED[type(op)]}= {source(value)}"
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield "sign", span(node), source(operand)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "negation", span(node), f"({source(operand)})"
        case ast.BoolOp(op=op, values=values):
            word = " or " if isinstance(op, ast.And) else " and "
            yield "and, or", span(node), f"({word.join(f'({source(v)})' for v in values)})"
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield "condition", span(test), f"not ({source(test)})"
        case ast.match_case(guard=ast.expr() as test):
            yield "condition", span(test), f"not ({source(test)})"
        case ast.Expr(value=ast.Call()):
            yield "missing call", span(node), "pass"
        case ast.Assign(targets=[ast.Attribute()]) | ast.AugAssign(target=ast.Attribute()):
            yield "missing assignment", span(node), "pass"
        case ast.Constant(value=bool() as value):
            yield "constant", span(node), str(not value)
        case ast.Constant(value=int() | float() as value) if not isinstance(parent, ast.FormattedValue):
            yield "constant", span(node), repr(value + 1) if value in (0, 1) else repr(value * 2)
        case ast.Call(func=ast.Name(id=name)) if name in EXTREMES:
            yield "extreme", span(node.func), EXTREMES[name]


def _word(op: ast.cmpop) -> str:
    """The operator as it is written."""
    words = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.In: "in"}
    return words[type(op)]
