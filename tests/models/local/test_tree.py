"""A recurrence over a tree, depth by depth, is the recurrence over each node's own path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.models.local.tree import ROOT, Slot, Tree, stretches

Batch = list[Tree]


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Rows of one length: a prefix with padding, nodes below nodes, tokens that come to nodes later, padding behind."""
    prefix = draw(st.integers(1, 5))
    rows = []
    for _ in range(draw(st.integers(1, 3))):
        tree = Tree(draw(st.integers(1, prefix)))
        tree.pad(prefix - len(tree))
        for _ in range(draw(st.integers(0, 5))):
            nodes = [node for node in range(len(tree.parents)) if node != tree.padding]
            tree.add(draw(st.sampled_from(nodes)), draw(st.integers(0, 4)))
        inner = set(tree.parents)
        grown = [node for node in range(1, len(tree.parents)) if node not in (tree.padding, *inner)]
        tree.grow(draw(st.lists(st.sampled_from(grown), max_size=6)) if grown else [])
        rows.append(tree)
    longest = max(map(len, rows))
    for tree in rows:
        tree.pad(longest - len(tree))
    return rows


def step(state: int, token: int) -> int:
    """A recurrence in which order and every token count."""
    return (31 * state + token + 1) % 1_000_003


def written_out(tree: Tree, at: int) -> int:
    """The state after a token, from all tokens before it that are its node's or above it."""
    above = np.flatnonzero(tree.lineage()[tree.nodes_L[at]])
    state = 0
    for place in range(at + 1):
        if tree.nodes_L[place] in above:
            state = step(state, place)
    return state


@settings(deadline=None)
@given(batches(), st.data())
def test_depth_by_depth_is_path_by_path(trees, data):
    """In one pass, and in two of which the second goes on from what the first left."""
    length = len(trees[0])
    cut = data.draw(st.integers(0, length))
    held: dict[Slot, int] = {}
    found = np.zeros((len(trees), length), dtype=np.int64)
    for first, count in ((0, cut), (cut, length - cut)):
        passes = stretches(trees, first, count) if count else []
        for some in passes:
            for tokens, size, slot, source in zip(
                some.tokens_NT, some.lengths_N, some.slots, some.sources, strict=True
            ):
                state = 0 if source is None else held[source]
                for token in tokens[:size].tolist():
                    row, place = divmod(token, count)
                    assert row == slot[0]
                    state = step(state, first + place)
                    found[row, first + place] = state
                held[slot] = state
        used = {
            source for some in passes for slot, source in zip(some.slots, some.sources, strict=True) if source != slot
        }
        assert all(some.is_source == any(slot in used for slot in some.slots) for some in passes)
    for row, tree in enumerate(trees):
        for place in range(length):
            if tree.nodes_L[place] != tree.padding:
                assert found[row, place] == written_out(tree, place)


def test_padding_belongs_to_nobody():
    tree = Tree(2)
    tree.pad(1)
    tree.add(ROOT, 2)
    tree.pad(1)
    assert [slot for some in stretches([tree], 0, 6) for slot in some.slots] == [(0, ROOT), (0, 2)]


def test_a_node_that_others_branched_off_does_not_grow():
    """What is below it would see tokens that come behind it."""
    tree = Tree(2)
    question = tree.add(ROOT, 1)
    for node in (tree.add(question, 1), tree.add(question)):
        tree.grow([node])
    for node in (ROOT, question):
        with pytest.raises(ValueError, match=f"node {node} cannot grow"):
            tree.grow([node])
