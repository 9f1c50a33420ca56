"""What a decoder's layers keep of the tokens before: keys and values, or the states of linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from timeground.models.local.delta_net import LINEAR, NodeStates, layer_types
from timeground.models.local.tree import ROOT, Tree

Kept = tuple[Tensor, Tensor] | NodeStates
"""Of one layer."""


class LayerCache:
    """A cache of one row."""

    def __init__(self, model: Any, layers: Sequence[Kept] = ()) -> None:
        """Begin with what layers have kept, or with nothing."""
        from transformers import DynamicCache

        from timeground.models.local.roomy_layer import RoomyLayer

        self.model = model
        past: Any = DynamicCache(config=model.config.get_text_config())
        new_layer: Any = RoomyLayer
        self.past = past
        """As transformers' decoders take it."""
        for number, kind in enumerate(layer_types(model)):
            self.past.layers[number] = NodeStates() if kind == LINEAR else new_layer()
        for number, kept in enumerate(layers):
            if isinstance(kept, NodeStates):
                self.past.layers[number] = kept.fork()
            else:
                self.past.update(*kept, number)

    @property
    def layers(self) -> list[Kept]:
        """Return what each layer keeps."""
        return [layer if isinstance(layer, NodeStates) else (layer.keys, layer.values) for layer in self.past.layers]

    def fork(self) -> LayerCache:
        """Return a copy that grows apart from this one; what both have is held once."""
        return LayerCache(self.model, self.layers)

    def cut(self, length: int) -> None:
        """Keep the first tokens only: those of the root."""
        for layer in self.past.layers:
            if isinstance(layer, NodeStates):
                layer.keep([ROOT])
            elif extra := layer.get_seq_length() - length:
                layer.crop(-extra)  # a length to keep is refused by newer transformers

    def keep_states(self, tree: Tree, nodes: Sequence[int]) -> None:
        """Forget the states of nodes that neither go on nor are right above those that do, but for the root's."""
        needed = {ROOT, *nodes, *(tree.parents[node] for node in nodes)}
        for layer in self.past.layers:
            if isinstance(layer, NodeStates):
                layer.keep(needed)

    @property
    def nbytes(self) -> int:
        """Return the memory that it takes."""
        return sum(
            kept.nbytes if isinstance(kept, NodeStates) else kept[0].nbytes + kept[1].nbytes for kept in self.layers
        )


@dataclass(frozen=True)
class KeptPrefix:
    """What layers keep of a prefix, with the graph that it came from.

    A loss on what goes on from here reaches all that made the prefix.
    """

    layers: list[Kept]

    @classmethod
    def of(cls, cache: LayerCache) -> Self:
        """Take what a cache holds, and let the cache go on without its graph."""
        layers = cache.layers
        for number, kept in enumerate(layers):
            if isinstance(kept, NodeStates):
                cache.past.layers[number] = kept.detached()
            else:
                layer = cache.past.layers[number]
                layer.keys, layer.values = (tensor.detach() for tensor in kept)
        return cls(layers)

    def cache(self, model: Any) -> LayerCache:
        """Return a cache that begins with them, for one forward pass."""
        return LayerCache(model, self.layers)
