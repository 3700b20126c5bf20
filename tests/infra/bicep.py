"""Read Bicep files into plain values, by their syntax tree (tree-sitter-bicep)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import tree_sitter
import tree_sitter_bicep

INFRA = Path(__file__).parents[2] / "infra"
PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_bicep.language()))


@dataclass(frozen=True)
class Code:
    """An expression that is only known when it is deployed."""

    text: str


@dataclass(frozen=True)
class Text:
    """A string with parts only known when it is deployed, written ``${…}`` as in the file."""

    text: str


@dataclass(frozen=True)
class Choice:
    """``condition ? yes : no``."""

    condition: str
    yes: Any
    no: Any


@dataclass(frozen=True)
class Loop:
    """``[for … in …: body]``."""

    body: Any
    over: str


@dataclass(frozen=True)
class Declaration:
    """A resource, module, parameter, variable or output."""

    name: str
    line: int
    type: str = ""
    body: Any = None
    decorators: dict[str, list[Any]] = field(default_factory=dict)
    exists: bool = False
    condition: str = ""
    loop: str = ""
    file: str = ""


@dataclass
class File:
    """One Bicep file; ``problems`` are its syntax errors and names declared twice."""

    path: Path
    root: tree_sitter.Node
    params: dict[str, Declaration] = field(default_factory=dict)
    variables: dict[str, Declaration] = field(default_factory=dict)
    resources: dict[str, Declaration] = field(default_factory=dict)
    modules: dict[str, Declaration] = field(default_factory=dict)
    outputs: dict[str, Declaration] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @cached_property
    def names(self) -> set[str]:
        """Everything an expression may name."""
        return {*self.params, *self.variables, *self.resources, *self.modules}

    def at(self, node: tree_sitter.Node, message: str) -> str:
        return f"{self.path.name}({node.start_point.row + 1}): {message}"


def read(path: Path, text: str | None = None) -> File:
    """Read one file, or *text* in its place."""
    source = path.read_text(encoding="utf-8") if text is None else text
    file = File(path, PARSER.parse(source.encode()).root_node)
    for node in walk(file.root):
        if node.type == "ERROR" or node.is_missing:
            file.problems.append(file.at(node, "this is no Bicep"))
            return file
    decorators: dict[str, list[Any]] = {}
    for node in file.root.named_children:
        if node.type == "decorators":
            decorators = dict(_decorator(child) for child in node.named_children)
            continue
        _declare(file, node, decorators)
        if node.type != "comment":
            decorators = {}
    return file


def walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    """Yield the node and everything below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def text_of(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


def value(node: tree_sitter.Node) -> Any:
    """Return the value an expression stands for, as far as the file alone tells."""
    match node.type:
        case "string":
            parts = [part for part in node.children if part.type not in ("'", "'''")]
            if any(part.type == "interpolation" for part in parts):
                return Text("".join(text_of(part) for part in parts))
            return "".join(text_of(part).replace("\\'", "'") for part in parts)
        case "number":
            return int(text_of(node))
        case "boolean":
            return text_of(node) == "true"
        case "null":
            return None
        case "object":
            return dict(_property(child) for child in node.named_children if child.type == "object_property")
        case "array":
            return [value(child) for child in node.named_children if child.type != "comment"]
        case "parenthesized_expression":
            return value(node.named_children[0])
        case "unary_expression" if text_of(node)[0] == "-" and text_of(node)[1:].isdecimal():
            return int(text_of(node))
        case "ternary_expression":
            condition, yes, no = (child for child in node.named_children if child.type != "comment")
            return Choice(text_of(condition), value(yes), value(no))
        case "for_statement":
            return Loop(value(node.named_children[-1]), text_of(node.named_children[-2]))
        case _:
            return Code(text_of(node))


def _property(node: tree_sitter.Node) -> tuple[str, Any]:
    key, *_, content = (child for child in node.named_children if child.type != "comment")
    name = value(key) if key.type == "string" else text_of(key)
    return (name.text if isinstance(name, Text) else name), value(content)


def _decorator(node: tree_sitter.Node) -> tuple[str, list[Any]]:
    call = node.named_children[0]
    arguments = call.named_children[1].named_children if len(call.named_children) > 1 else []
    return text_of(call.named_children[0]), [value(argument) for argument in arguments]


def _declare(file: File, node: tree_sitter.Node, decorators: dict[str, list[Any]]) -> None:
    kinds = {
        "parameter_declaration": file.params,
        "variable_declaration": file.variables,
        "resource_declaration": file.resources,
        "module_declaration": file.modules,
        "output_declaration": file.outputs,
    }
    if node.type not in kinds:
        return
    identifier, *rest = [child for child in node.named_children if child.type != "comment"]
    name = text_of(identifier)
    others = kinds[node.type] if node.type == "output_declaration" else file.names
    file.__dict__.pop("names", None)
    if name in others:
        file.problems.append(file.at(node, f"the name '{name}' is declared twice"))
    kind, exists, condition, loop, body = "", any(text_of(child) == "existing" for child in node.children), "", "", None
    for child in rest:
        if child.type == "type":
            kind = text_of(child)
        elif child is rest[0] and child.type == "string" and node.type in ("resource_declaration", "module_declaration"):
            kind = value(child)
        elif child.type == "if_statement":
            condition = text_of(child.named_children[0])
            body = value(child.named_children[-1])
        elif child.type == "for_statement" and node.type != "variable_declaration":
            loop, body = text_of(child.named_children[-2]), value(child.named_children[-1])
        else:
            body = value(child)
    kinds[node.type][name] = Declaration(
        name, node.start_point.row + 1, kind, body, decorators, exists, condition, loop, file.path.name
    )
