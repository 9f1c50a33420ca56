"""The tree that a packed row is: which node each of its tokens belongs to, and who sees or continues whom.

Shape legend: L tokens of a row, S suffix (tokens of one pass that are not its prefix), B rows, N nodes, T tokens of a
node.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROOT = 0
"""The number of a tree's root."""


class Tree:
    """Which node each token of a row belongs to, and which node each node goes on from.

    The root is the row's prefix; a question is below it, an answer below a question, a tool's result below an answer.
    """

    def __init__(self, prefix: int) -> None:
        """Begin with a root of `prefix` tokens."""
        self.parents = [-1]  # the root has none
        self.nodes_L = np.full(prefix, ROOT)
        self.padding: int | None = None
        """The node whose tokens mean nothing, if there is one."""
        self._lineage: NDArray[np.bool_] | None = None
        self._branched: set[int] = set()  # nodes with tokens below them

    def __len__(self) -> int:
        return len(self.nodes_L)

    def add(self, parent: int, count: int = 0) -> int:
        """Append a node of `count` tokens below another; return its number."""
        self.parents.append(parent)
        self._lineage = None
        node = len(self.parents) - 1
        self.grow([node] * count)
        return node

    def pad(self, count: int) -> None:
        """Append tokens that mean nothing, and that no node sees but theirs."""
        if self.padding is None:
            self.padding = self.add(ROOT)
        self.grow([self.padding] * count)

    def grow(self, nodes: Sequence[int]) -> None:
        """Append one token to each of these nodes, in this order.

        Raise ValueError for a node that others have branched off: they would see what comes behind them.
        """
        for node in set(nodes):
            if node in self._branched:
                raise ValueError(f"node {node} cannot grow: there are tokens below it")
            above = self.parents[node]
            while above >= 0 and above not in self._branched:
                self._branched.add(above)
                above = self.parents[above]
        self.nodes_L = np.concatenate([self.nodes_L, np.array(nodes, dtype=np.int64)])

    def depth(self, node: int) -> int:
        """Return how many nodes are above a node."""
        return int(self.lineage()[node].sum()) - 1

    def lineage(self) -> NDArray[np.bool_]:
        """Return which nodes are a node itself or above it, ``[nodes, nodes]``, a row for each node."""
        if self._lineage is None:
            self._lineage = np.eye(len(self.parents), dtype=np.bool_)
            for node, parent in enumerate(self.parents[1:], 1):
                self._lineage[node] |= self._lineage[parent]
        return self._lineage


def visibility(tree: Tree, suffix: int) -> NDArray[np.bool_]:
    """Return which of a row's tokens the last `suffix` ones see, bool ``[suffix, L]``.

    A token sees what comes before it in the row and belongs to its own node or to one above that.
    """
    first = len(tree) - suffix
    seeing, row = np.unique(tree.nodes_L[first:], return_inverse=True)  # each node's columns are looked up once
    seen: NDArray[np.bool_] = tree.lineage()[seeing].take(tree.nodes_L, axis=1).take(row, axis=0)
    seen &= np.tri(suffix, len(tree), first, dtype=np.bool_)
    return seen


Slot = tuple[int, int]
"""A row of a batch, and a node of its tree."""


@dataclass(frozen=True)
class Stretches:
    """Nodes of one depth, side by side: the tokens that a pass has of each, and which node's state each begins from."""

    tokens_NT: NDArray[np.int64]
    """Where they stand in the pass, counted over its rows; shorter ones end in any token."""
    lengths_N: NDArray[np.int64]
    slots: tuple[Slot, ...]
    """The nodes."""
    sources: tuple[Slot | None, ...]
    """Each one's parent, or itself where the pass goes on with it; None at the beginning of a row."""
    is_source: bool
    """Whether any node of the pass begins from one of these."""


def stretches(trees: Sequence[Tree], first: int, count: int) -> list[Stretches]:
    """Return `count` tokens of each row, from `first` on, by nodes: what is below a node comes after it.

    What computes from state to state (a recurrence) cannot hide nodes from each other by a mask: it runs once for each
    depth of the tree, all nodes of a depth as a batch.
    """
    by_depth: dict[int, list[tuple[Slot, NDArray[np.int64], Slot | None]]] = {}
    for row, tree in enumerate(trees):
        nodes = tree.nodes_L[first : first + count]
        begun = set(tree.nodes_L[:first].tolist())
        with_tokens = begun | set(nodes.tolist())
        for node in sorted(set(nodes.tolist()) - {tree.padding}):
            above = node if node in begun else tree.parents[node]
            while above >= 0 and above not in with_tokens:
                above = tree.parents[above]
            places = np.flatnonzero(nodes == node) + row * count
            source = (row, above) if above >= 0 else None
            by_depth.setdefault(tree.depth(node), []).append(((row, node), places, source))
    found = [by_depth[depth] for depth in sorted(by_depth)]
    sources = {source for group in found for slot, _, source in group if source != slot}
    return [_side_by_side(group, any(slot in sources for slot, *_ in group)) for group in found]


def _side_by_side(group: Sequence[tuple[Slot, NDArray[np.int64], Slot | None]], is_source: bool) -> Stretches:
    lengths = np.array([len(places) for _, places, _ in group])
    tokens = np.zeros((len(group), lengths.max()), dtype=np.int64)
    for row, (_, places, _) in zip(tokens, group, strict=True):
        row[: len(places)] = places
    return Stretches(tokens, lengths, tuple(g[0] for g in group), tuple(g[2] for g in group), is_source)
