"""G answers from one prefix in one packed forward are what G full rows through transformers give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from timeground.train.adapters import add_lora, merged, without_lora
from timeground.train.config import LoraSettings, SamplingSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows, Example, Node
from timeground.train.grpo.loss import Divisor, PolicyInputs
from timeground.train.grpo.model import GrpoModel
from timeground.train.rollout.local import Sampler

from tests.conftest import noise_clip
from tests.support.runs import grpo_settings as settings
from tests.support.tiny_models import encoder_for
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.models.inputs import PromptInputs
from timeground.models.loading import load
from timeground.models.local.towers import cut_patches
from timeground.spans import Span

QUERIES = ("the red circle moves left", "it turns")


def item(side: int, seed: int = 0, num_frames: int = 6) -> ClipRows:
    rows = [Row(id=q, video="v.mp4", duration=5.0, query=q, spans=[Span(1, 2)]) for q in QUERIES]
    return ClipRows(noise_clip(num_frames, side, side, seed=seed), rows)


def profile(family: str, text_first: bool = False) -> Profile:
    encoding = TimeEncoding.NATIVE if family.startswith("qwen3") else TimeEncoding.MROPE
    return Profile(prompt="short", time_encoding=encoding, max_new_tokens=7, text_first=text_first)


def ragged(example: Example) -> Example:
    """The example with its answers cut to different lengths: a random model seldom ends one by itself."""
    lengths = iter([7, 2, 5, 1, 6, 3, 4] * 10)

    def cut(node: Node) -> Node:
        ids = node.inputs.ids_L[: next(lengths)]
        return replace(node, inputs=PromptInputs.following(ids, node.inputs.positions_3L[0, 0]))

    return replace(example, nodes=tuple(n if n.answer is None else cut(n) for n in example.nodes))


def plain_logprobs(reference, loaded, example, question, answer) -> torch.Tensor:
    """Log-probabilities of one answer from one full row through transformers' own forward pass."""
    ids = torch.from_numpy(np.concatenate([example.prompt.ids_L, question.ids_L, answer]))[None]
    pixels = cut_patches(
        example.frames, example.prompt.vision, loaded.checkpoint.family, loaded.checkpoint.norm, torch.float32
    )
    timed = {"second_per_grid_ts": [1.0]} if loaded.checkpoint.family.steps_per_s else {}
    grid = pixels.grids[0] if timed else [sum(g[0] for g in pixels.grids), *pixels.grids[0][1:]]
    logits = reference(
        input_ids=ids,
        pixel_values_videos=pixels.values_NP,
        video_grid_thw=torch.tensor([grid]),
        mm_token_type_ids=(ids == loaded.checkpoint.family.video_token_id).int() * 2,
        use_cache=False,
        **timed,
    ).logits[0, -len(answer) - 1 : -1]
    logits = logits.index_fill(1, torch.tensor(loaded.checkpoint.family.forbidden_ids), -1e9)
    return logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None])[:, 0]


@pytest.mark.parametrize("family", ["qwen3", "qwen3_5", "qwen2_5"])
@pytest.mark.parametrize("group_size", [1, 2, 8])
@pytest.mark.parametrize("how", ["plain", "kept", "checkpointing", "lora", "text_first"])
def test_logprobs_and_gradients_equal_full_rows(family, group_size, how, request):
    from transformers import AutoModelForImageTextToText

    path = request.getfixturevalue(f"{family}_folder")
    loaded = load(path)
    reference = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32)
    if how == "lora":
        for model in (loaded.model, reference):
            torch.manual_seed(1)
            add_lora(model, LoraSettings(rank=4), loaded.checkpoint.family)
        for name, parameter in loaded.model.named_parameters():
            if ".lora_B." in name:
                torch.nn.init.normal_(parameter, std=0.05)
        reference.load_state_dict(loaded.model.state_dict())
    policy = GrpoModel(loaded, settings())
    if how == "checkpointing":
        loaded.model.gradient_checkpointing_enable({"use_reentrant": False})
    encoder = encoder_for(loaded, profile(family, how == "text_first"))
    sampler = Sampler(policy.eval(), encoder, SamplingSettings(group_size=group_size), keep_prefix=how == "kept")
    side = 2 * loaded.checkpoint.family.factor
    rollouts = [r for n in (4, 6) for r in sampler.roll_out(item(side, n, n), [n])]
    examples = [ragged(example) for r in rollouts for example in r.examples]
    batch = pack(examples, loaded.checkpoint.family.visual_ids)
    advantages = torch.randn(batch.num_answers, generator=torch.Generator().manual_seed(2))
    divisor = Divisor(len(batch.targets_N), batch.num_answers, 7)
    loss, _ = policy.objective(policy.train()(batch), batch, PolicyInputs(advantages), divisor)
    loss.backward()
    ours, _ = policy(batch)

    visual = {n for n, _ in reference.named_parameters() if "visual" in n and "merger" not in n}
    for name, parameter in reference.named_parameters():
        parameter.requires_grad_(name not in visual and (how != "lora" or ".lora_" in name or "merger" in name))
    answers = [
        (e, e.nodes[node.parent].inputs, node.inputs.ids_L)
        for e in examples
        for node in e.nodes
        if node.answer is not None
    ]
    parts = [plain_logprobs(reference, loaded, *answer) for answer in answers]
    torch.testing.assert_close(ours, torch.cat(parts), atol=1e-5, rtol=2e-6)
    plain = -sum((p - p.detach()).exp().sum() * a for p, a in zip(parts, advantages, strict=True)) / divisor.tokens
    plain.backward()
    assert loss.item() == pytest.approx(plain.item(), abs=1e-6)
    theirs = dict(reference.named_parameters())
    mine = {n: p for n, p in loaded.model.named_parameters() if p.requires_grad}
    assert any("merger" in n for n in mine) and not any("visual.blocks" in n for n in mine)
    for name, parameter in mine.items():
        expected = theirs[name].grad
        if expected is None:  # a tied or unused weight
            assert parameter.grad is None or not parameter.grad.any(), name
            continue
        rounding = 5e-6 if family == "qwen3_5" else 1e-8  # of a state in float32
        assert (parameter.grad - expected).norm() <= 1e-4 * expected.norm() + rounding, name


@pytest.mark.parametrize("family", ["qwen3", "qwen3_5", "qwen3_5_moe", "qwen2_5"])
def test_rollout_logprobs_are_the_trainers(family, request):
    """What was noted while sampling from the KV cache is what the packed forward computes."""
    loaded = load(request.getfixturevalue(f"{family}_folder"))
    policy = GrpoModel(loaded, settings()).eval()
    sampler = Sampler(
        policy,
        encoder_for(loaded, profile(family)),
        SamplingSettings(group_size=4),
    )
    (rollout,) = sampler.roll_out(item(2 * loaded.checkpoint.family.factor), [3])
    batch = pack(rollout.examples, loaded.checkpoint.family.visual_ids)
    noted = torch.tensor(rollout.logprobs)
    torch.testing.assert_close(policy(batch)[0].detach(), noted, atol=1e-5, rtol=0)


def test_the_vision_tower_runs_once_a_clip(qwen3_folder):
    """A rollout and the update on it need one pass of the frozen tower; its mergers run in every forward."""
    loaded = load(qwen3_folder)
    policy = GrpoModel(loaded, settings())
    calls = {"tower": 0, "merger": 0}
    visual = loaded.model.model.visual
    visual.blocks[0].register_forward_hook(lambda *_: calls.__setitem__("tower", calls["tower"] + 1))
    visual.merger.register_forward_hook(lambda *_: calls.__setitem__("merger", calls["merger"] + 1))
    sampler = Sampler(policy, encoder_for(loaded, profile("qwen3")), SamplingSettings())
    (rollout,) = sampler.roll_out(item(64), [0])
    batch = pack(rollout.examples, loaded.checkpoint.family.visual_ids)
    calls["merger"] = 0
    policy(batch)
    policy(batch)
    assert calls["tower"] == 1 and calls["merger"] == 2


def test_a_trained_tower_runs_once_a_rollout(qwen3_folder):
    """It is run again for the update, with gradients."""
    loaded = load(qwen3_folder)
    policy, calls = GrpoModel(loaded, settings(model={"init": "tiny", "frozen": "none"})), []
    loaded.model.model.visual.blocks[0].register_forward_hook(lambda *_: calls.append(1))
    encoder = encoder_for(loaded, profile("qwen3"))
    (rollout,) = Sampler(policy, encoder, SamplingSettings()).roll_out(item(64), [0])
    assert len(calls) == 1 and rollout.examples[0].root.states is None


def test_placeholders_of_vision_are_never_sampled(qwen3_folder):
    """Even a model that wants nothing else gives no vision token, and its log-probabilities leave them out."""
    loaded = load(qwen3_folder)
    head = torch.nn.Linear(loaded.model.lm_head.in_features, loaded.model.lm_head.out_features)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.bias[list(loaded.checkpoint.family.forbidden_ids)] = 50.0
    loaded.model.lm_head = head
    policy = GrpoModel(loaded, settings()).eval()
    sampler = Sampler(policy, encoder_for(loaded, profile("qwen3")), SamplingSettings())
    (rollout,) = sampler.roll_out(item(64), [0])
    tokens = {i for node in rollout.examples[0].nodes if node.answer is not None for i in node.inputs.ids_L.tolist()}
    assert not tokens & set(loaded.checkpoint.family.forbidden_ids)
    batch = pack(rollout.examples, loaded.checkpoint.family.visual_ids)
    vocabulary = head.out_features - len(loaded.checkpoint.family.forbidden_ids)
    logprobs, entropy = policy(batch)
    torch.testing.assert_close(logprobs, torch.full_like(logprobs, -np.log(vocabulary)))
    torch.testing.assert_close(entropy, torch.full_like(entropy, np.log(vocabulary)))


def test_adapters_switched_off_are_the_base_and_merge_into_it(qwen3_folder):
    base, adapted = load(qwen3_folder), load(qwen3_folder)
    add_lora(adapted.model, LoraSettings(rank=4, alpha=8.0), adapted.checkpoint.family)
    torch.manual_seed(0)
    for name, parameter in adapted.model.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.05)
    encoder = encoder_for(base, profile("qwen3"))
    examples = encoder.supervised(item(64))
    batch = pack(examples, base.checkpoint.family.visual_ids)
    with torch.no_grad():
        plain, changed = (GrpoModel(m, settings()).eval()(batch)[0] for m in (base, adapted))
        with without_lora(adapted.model):
            off = GrpoModel(adapted, settings()).eval()(batch)[0]
        assert not torch.allclose(plain, changed)
        torch.testing.assert_close(off, plain)
        base.model.load_state_dict(merged(adapted.model.state_dict(), 8.0 / 4))
        torch.testing.assert_close(GrpoModel(base, settings()).eval()(batch)[0], changed, atol=1e-5, rtol=0)
