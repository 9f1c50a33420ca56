"""A text-to-frame head: how well each frame pair of a clip fits a query, without running the language model.

It compares a query's words (the mean of their input embeddings) with the visual tokens that the tower makes of a frame
pair, both projected into a small space; of a pair's tokens the best one counts. So an index of a video is searched by
a few products. As late interaction of texts and frames in retrieval, with one vector a query.

Shape legend: Q queries, P frame pairs, N visual tokens of a pair, D hidden size of the language model, K of the head's
space.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from timeground.errors import UserError

FILE_NAME = "frame_head/weights.safetensors"
"""In a folder of its own: vLLM takes every ``*.safetensors`` beside a model's for its weights."""
SIZE = 16


class FrameHead(nn.Module):
    """Two projections, a temperature and a bias: a few thousand parameters."""

    def __init__(self, hidden_size: int, size: int = SIZE) -> None:
        """Make one with random weights. hidden_size: D. size: of the space in which both are compared."""
        super().__init__()
        self.text = nn.Linear(hidden_size, size, bias=False)
        self.frame = nn.Linear(hidden_size, size, bias=False)
        self.log_scale = nn.Parameter(torch.tensor([math.log(8.0)]))
        self.bias = nn.Parameter(torch.tensor([-4.0]))

    def forward(self, queries_QD: Tensor, tokens_PND: Tensor) -> Tensor:
        """Return the log-odds that a query's event is in a frame pair, ``[Q, P]``, float32."""
        return self.compared(queries_QD, self.seen(tokens_PND))

    def seen(self, tokens_PND: Tensor) -> Tensor:
        """Return what is kept of frame pairs to compare queries with, ``[P, N, K]`` of length 1, float32."""
        return F.normalize(self.frame(tokens_PND.float()), dim=-1)

    def compared(self, queries_QD: Tensor, seen_PNK: Tensor) -> Tensor:
        """Return the log-odds from what was kept of frame pairs, ``[Q, P]``, float32."""
        text_QK = F.normalize(self.text(queries_QD.float()), dim=-1)
        best_PQ = (seen_PNK.float() @ text_QK.T).amax(dim=1)
        return self.log_scale.exp() * best_PQ.T + self.bias

    def save(self, folder: Path) -> None:
        """Write its weights into a model's folder."""
        save_weights(self.state_dict(), folder)


def save_weights(state: dict[str, Tensor], folder: Path) -> None:
    """Write the weights of a head into a model's folder."""
    from safetensors.torch import save_file

    file = folder / FILE_NAME
    file.parent.mkdir(exist_ok=True)
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, file)


def load_frame_head(folder: Path, hidden_size: int) -> FrameHead:
    """Return the head of a model's folder. Raise UserError where there is none, or it is another model's."""
    from safetensors.torch import load_file

    file = folder / FILE_NAME
    if not file.is_file():
        raise UserError(f"{folder}: this model has no text-to-frame head ({FILE_NAME}); train one (model.frame_head)")
    try:
        state = load_file(file)
        head = FrameHead(hidden_size, len(state["text.weight"]))
        head.load_state_dict(state)
    except Exception as error:  # safetensors, torch and a missing key each raise their own
        raise UserError(f"{file}: is no text-to-frame head of this model ({_first_line(error)})") from None
    return head.eval()


def mean_embeddings(model: Any, queries: list[list[int]]) -> Tensor:
    """Return the mean input embedding of each query's tokens, ``[Q, D]``."""
    table = model.get_input_embeddings()
    device = table.weight.device
    return torch.stack([table(torch.tensor(ids, device=device)).mean(dim=0) for ids in queries])


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
