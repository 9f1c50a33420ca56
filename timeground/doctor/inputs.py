"""Reading times out of a finished model input: its patches, its token ids, its positions, and what is drawn.

Shape legend: P frame pairs, N patches, V values of a patch, T frames, C channels, H and W pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timeground.doctor.pattern import Picture, Times, shown_times_s
from timeground.models.families import Family
from timeground.models.inputs import PromptInputs
from timeground.models.local.towers import Normalisation

TENTH_S = 0.1
NUMBER = re.compile(r"\d+(?:\.(\d+))?")


def join_patches(values_NV: Tensor, grid: tuple[int, ...], family: Family, norm: Normalisation) -> Tensor:
    """Return the frames ``[T, C, H, W]`` (0 to 255) that patches were cut from: undoes ``vision.cut_patches``."""
    pairs, rows, columns = grid
    patch, merge = family.patch_size, family.merge_size
    x = values_NV.view(pairs, rows // merge, columns // merge, merge, merge, 3, 2, patch, patch)
    frames = x.permute(0, 6, 5, 1, 3, 7, 2, 4, 8).reshape(2 * pairs, 3, rows * patch, columns * patch)
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (norm.mean, norm.std))
    return (frames.float() * std + mean) * 255


def texts_around(ids: Sequence[int], family: Family, tokenizer: Any) -> list[str]:
    """Return the text before each block of visual tokens, and that after the last."""
    visual = {family.image_token_id, family.video_token_id}
    texts: list[list[int]] = [[]]
    for before, token in zip([None, *ids], ids, strict=False):
        if token not in visual:
            texts[-1].append(token)
        elif before not in visual:
            texts.append([])
    return [tokenizer.decode(text, skip_special_tokens=True) for text in texts]


def all_numbers(text: str) -> tuple[list[float], float]:
    """Return the numbers in a text, and half a unit of their last digit."""
    found = list(NUMBER.finditer(text))
    return [float(number[0]) for number in found], max(map(_rounding, found), default=0.0)


def last_numbers(texts: Sequence[str]) -> tuple[list[float], float]:
    """Return the last number in each text (NaN where there is none), and half a unit of their last digit."""
    found = [list(NUMBER.finditer(text)) for text in texts]
    numbers = [float(matches[-1][0]) if matches else np.nan for matches in found]
    return numbers, max((_rounding(matches[-1]) for matches in found if matches), default=0.0)


def temporal_positions(prompt: PromptInputs, family: Family, num_pairs: int) -> Times:
    """Return the temporal position of each pair, counted from the first pair's."""
    positions = prompt.positions_3L[0, prompt.ids_L == family.video_token_id].reshape(num_pairs, -1)[:, 0]
    return np.asarray(positions - positions[0], dtype=np.float64)


def drawn_times_s(drawn_TCHW: torch.Tensor, plain_TCHW: torch.Tensor, duration_s: float) -> list[float]:
    """Return the time in seconds that is drawn on each of ``[T, 3, H, W]`` frames, NaN where it cannot be read.

    plain_TCHW: the same frames with nothing drawn on them. Every stamp from 0 to ``duration_s`` is tried, the
    nearest to what the frame's blocks show first. They are drawn here and not by `chat.layout`, so that a wrong
    stamp is not excused by the code that drew it.
    """
    near_s = shown_times_s(plain_TCHW).tolist()
    return [_read(*frame, duration_s) for frame in zip(drawn_TCHW, plain_TCHW, near_s, strict=True)]


def _read(drawn: torch.Tensor, plain: torch.Tensor, near_s: float, duration_s: float) -> float:
    """Return the stamp whose picture is the one that was drawn; those near to ``near_s`` are tried first."""
    if math.isnan(near_s):
        return math.nan
    tenths = sorted(range(math.ceil(duration_s / TENTH_S) + 1), key=lambda n: abs(n * TENTH_S - near_s))
    wanted = drawn.permute(1, 2, 0).numpy()
    base = plain.permute(1, 2, 0).contiguous().numpy()
    for tenth in tenths:
        if np.array_equal(_draw(base, f"{tenth * TENTH_S:.1f}s"), wanted):
            return tenth * TENTH_S
    return math.nan


def _draw(picture: Picture, text: str) -> Picture:
    """Return a stamp in the lower left corner, white with a black rim."""
    from PIL import Image, ImageDraw, ImageFont

    height = picture.shape[0]
    font = ImageFont.load_default(size=max(8, height // 8))
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(
        (2, height - 2), text, font=font, anchor="lb", fill="white", stroke_width=1, stroke_fill="black"
    )
    return np.array(image)


def _rounding(number: re.Match[str]) -> float:
    """Return half a unit of a number's last digit."""
    return float(0.5 * 10.0 ** -len(number[1] or ""))
