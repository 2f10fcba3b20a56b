"""No module needs a module that needs it, over however many others, and however an import is written."""

from collections.abc import Iterator

import grimp


def circles(edges: dict[str, set[str]]) -> Iterator[set[str]]:
    """Strongly connected components of more than one node (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> Iterator[set[str]]:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if other not in number:
                yield from visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            members = set(stack[stack.index(node) :])
            del stack[stack.index(node) :]
            if len(members) > 1:
                yield members

    for node in sorted(edges):
        if node not in number:
            yield from visit(node)


def imports(types: bool) -> dict[str, set[str]]:
    """What each module imports, also inside functions; ``types``: also for types only."""
    graph = grimp.build_graph("bci", "devices", "pipelines", "gui", exclude_type_checking_imports=not types, cache_dir=None)
    return {module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules}


def test_a_circle_is_found() -> None:
    assert list(circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()})) == [{"a", "b", "c"}]
    assert list(circles({"a": {"b", "c"}, "b": {"c"}, "c": set()})) == []


def test_no_module_needs_a_module_that_needs_it() -> None:
    found = imports(types=False)
    assert "bci.stream.lsl" in found["bci.stream.clock"]  # in a function: liblsl is loaded only by who wants real time
    assert list(circles(found)) == []


def test_of_types_two_modules_speak_both_ways_only_where_limits_are_checked_for_what_they_limit() -> None:
    assert list(circles(imports(types=True))) == [{"bci.engine.limits", "bci.engine.preprocessing"}]
