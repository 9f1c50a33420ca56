"""Advantages, objective and gradients are those of TRL's GRPOTrainer, given the same answers and rewards."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import pytest
import torch
from timeground.train.data.batches import pack
from timeground.train.data.render import Example, Node
from timeground.train.grpo.advantages import advantages
from timeground.train.grpo.loss import Divisor, PolicyInputs
from timeground.train.grpo.model import GrpoModel

from tests.support.runs import grpo_settings as settings
from timeground.chat.layout import TextSegment
from timeground.models.families.qwen3_vl import Qwen3VL
from timeground.models.inputs import PromptInputs
from timeground.models.loading import load
from timeground.models.transcript import Laid

trl = pytest.importorskip("trl")

ANSWERS = [[40, 41, 42, 43, 44], [50, 51], [60, 61, 62], [70, 71, 72, 73]]
REWARDS = [0.9, 0.1, 0.4, 0.0]
MAX_TOKENS = 6


@dataclass(frozen=True)
class Unbarred(Qwen3VL):
    """A family that bars no tokens, as TRL does not."""

    @property
    def forbidden_ids(self) -> tuple[int, ...]:
        return ()


def run_trl(folder, tmp_path, loss_type, scale, level, beta, noise):
    """TRL's loss, gradients and advantages on two prompts of two answers; noise: old and reference log-probs."""
    from datasets import Dataset
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    prompt = tokenizer.encode("When does it turn?")
    config = trl.GRPOConfig(
        output_dir=str(tmp_path), per_device_train_batch_size=4, num_generations=2, max_completion_length=MAX_TOKENS,
        loss_type=loss_type, scale_rewards=scale, importance_sampling_level=level, beta=beta, epsilon=0.2,
        epsilon_high=0.28, temperature=0.9, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False,
        save_strategy="no", disable_dropout=True, use_bias_correction_kl=level == "sequence",
    )  # fmt: skip
    trainer = trl.GRPOTrainer(
        model=model,
        args=config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_dict({"prompt": ["When does it turn?"] * 4}),
        reward_funcs=lambda completions, **_: REWARDS,
        rollout_func=lambda prompts, _: {
            "prompt_ids": [prompt] * 4,
            "completion_ids": ANSWERS,
            "logprobs": [[0.0] * len(a) for a in ANSWERS],
        },
    )
    trainer.current_gradient_accumulation_steps = 1
    model.train()
    outputs = trainer._generate_and_score_completions([{"prompt": "When does it turn?"}] * 4)
    mask = outputs["completion_mask"].bool()
    with torch.no_grad():
        ids = torch.cat([outputs["prompt_ids"], outputs["completion_ids"]], 1)
        attention = torch.cat([outputs["prompt_mask"], outputs["completion_mask"]], 1)
        now = trainer._get_per_token_logps_and_entropies(model, ids, attention, mask.shape[1])[0]
    old, reference = now.clone(), now.clone()
    old[mask] += noise[0]
    reference[mask] += noise[1]
    outputs |= {"old_per_token_logps": old, "ref_per_token_logps": reference}
    loss = trainer._compute_loss(model, outputs)
    loss.backward()
    return loss.item(), dict(model.named_parameters()), outputs["advantages"], now[mask], prompt


@pytest.mark.parametrize(
    ("loss_type", "normalisation"), [("bnpo", "token"), ("dapo", "token"), ("grpo", "sequence"), ("dr_grpo", "dr_grpo")]
)
@pytest.mark.parametrize(
    ("scale", "level", "beta"), [("group", "token", 0.0), ("batch", "token", 0.04), ("none", "sequence", 0.04)]
)
def test_loss_and_gradients_equal_trls(qwen3_folder, tmp_path, loss_type, normalisation, scale, level, beta):
    noise = torch.randn(2, sum(map(len, ANSWERS)), generator=torch.Generator().manual_seed(0)) * 0.3
    value, theirs, their_advantages, logprobs, prompt = run_trl(
        qwen3_folder, tmp_path, loss_type, scale, level, beta, noise
    )
    rewards = torch.tensor(REWARDS).view(2, 2)
    ours = advantages(rewards, scale, batch_std=rewards.std().item()).flatten()
    torch.testing.assert_close(ours, their_advantages, atol=1e-6, rtol=0)

    loaded = load(qwen3_folder)
    family = Unbarred(**{f.name: getattr(loaded.checkpoint.family, f.name) for f in fields(loaded.checkpoint.family)})
    loss_settings = {
        "normalisation": normalisation, "scale": scale, "ratio": level, "kl": beta, "clip_low": 0.2, "clip_high": 0.28,
        "kl_corrected": level == "sequence",
    }  # fmt: skip
    model = {"init": "tiny", "frozen": "none"}
    policy = GrpoModel(
        replace(loaded, checkpoint=replace(loaded.checkpoint, family=family)),
        settings(loss=loss_settings, sampling={"temperature": 0.9}, model=model),
    )
    builder = loaded.checkpoint.builder
    asked = builder.lay_out([TextSegment("When does it turn?")], (0, 0), 0)
    assert asked.ids_L.tolist() == prompt
    body, last = asked.split_last()
    assert isinstance(body, PromptInputs)
    answers = [[Laid(PromptInputs.following(ids, last.next_position), is_sampled=True)] for ids in ANSWERS]
    example = Example((Node(body), Node(last, 0), Node(last, 0))).answered([answers[:2], answers[2:]])
    batch = pack([example], family.visual_ids)
    inputs = PolicyInputs(ours, logprobs + noise[0], logprobs + noise[1] if beta else None)
    loss, _ = policy.objective(policy(batch), batch, inputs, Divisor(len(batch.targets_N), 4, MAX_TOKENS))
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-5)
    compared = 0
    for name, parameter in loaded.model.named_parameters():
        expected = theirs[name].grad
        if expected is None or parameter.grad is None:
            assert (expected is None or not expected.any()) and (parameter.grad is None or not parameter.grad.any())
            continue
        assert (parameter.grad - expected).norm() <= 1e-5 * max(1.0, expected.norm()), name
        compared += 1
    assert compared > 20
