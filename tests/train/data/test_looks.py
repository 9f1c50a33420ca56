"""Looking closer as it is taught: a tree with the tool's frames, and only what the model says as a target."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from timeground.train.config import DataSettings, GrpoSettings, SftSettings, StageSettings, load_recipe
from timeground.train.data.batches import pack
from timeground.train.data.looks import LOOK, looks
from timeground.train.data.render import Encoder
from timeground.train.data.scenes import SynthSource

from timeground.chat.look_tool import LookTool
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.checkpoint import Checkpoint
from timeground.models.families.qwen_vl import call_text
from timeground.synth.rows import make_rows
from timeground.synth.scene import cut
from timeground.synth.world import sample_scene

STAGE = {"durations_s": [[60, 200]], "fps": [0.5], "tokens_per_pair": [4], "kind_weights": {"single": 1, "absent": 1}}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Checkpoint:
    """A new model, whose chat template carries tools."""
    from timeground.train.fresh import make_fresh_model

    from timeground.chat.profile import named_profile
    from timeground.models.families.new_models import FreshModel

    folder = tmp_path_factory.mktemp("fresh") / "model"
    profile = named_profile("TencentARC/TimeLens-8B").with_changes(
        {"prompt": "short", "min_tokens_per_pair": 4, "max_tokens_per_pair": 9, "total_tokens": 1440}
    )
    make_fresh_model(folder, FreshModel(vision_hidden_size=64, vision_layers=2, vocab_size=400), profile, 0)
    return Checkpoint.open(str(folder))


def made(checkpoint: Checkpoint, looks: float):
    data = DataSettings(synth_seed=5, questions_per_video=4, synth_stages=[StageSettings(**STAGE, looks=looks)])
    source = SynthSource(data, checkpoint.sampling, 3)
    encoder = Encoder(checkpoint.builder, checkpoint.family, checkpoint.profile)
    return [(item, *encoder.supervised(item)) for number in range(2) for item in source.made(number, lambda item: item)]


def test_a_call_leads_to_frames_and_they_to_the_answer(checkpoint) -> None:
    """Calls name whole seconds of the video; what they show has the video's times and holds the moment at last."""
    seen = 0
    for item, example in made(checkpoint, looks=1.0):
        assert item.tools == (LOOK,)
        assert set(item.leads) == {row.id for row in item.rows if all(span.length_s <= 14.0 for span in row.spans)}
        for row in (row for row in item.rows if row.id in item.leads):
            turns = item.leads[row.id]
            assert [turn.is_sampled for turn in turns] == [True, False] * (len(turns) // 2)
            for call, result in zip(turns[::2], turns[1::2], strict=True):
                said = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", call.text)
                wanted = json.loads(said[1])["arguments"]
                clip = result.message.parts[0].clip
                assert (clip.start_s, clip.end_s) == (wanted["start_s"], wanted["end_s"])
                assert 0 <= clip.start_s < clip.end_s <= row.duration
                assert clip.start_s <= clip.frame_times_s[0] and clip.frame_times_s[-1] < clip.end_s
            if row.spans:
                assert any(clip.start_s < span.end_s and clip.end_s > span.start_s for span in row.spans)
            seen += 1
        assert example.num_answers == len(item.rows)
        assert sum(node.frames is not None for node in example.nodes) == 1 + sum(
            len(t) // 2 for t in item.leads.values()
        )
    assert seen > 6


def test_only_what_the_model_says_is_a_target(checkpoint) -> None:
    item, example = made(checkpoint, looks=1.0)[0]
    batch = pack([example], checkpoint.family.visual_ids)
    text = checkpoint.builder.tokenizer.decode(batch.targets_N)
    assert text.count("<tool_call>") == sum(len(turns) // 2 for turns in item.leads.values())
    assert "tool_response" not in text and "seconds>" not in text.replace(" seconds<|im_end|>", "")
    assert not torch.isin(batch.targets_N, torch.tensor(checkpoint.family.visual_ids)).any()


def test_the_prompt_tells_of_the_tool_as_the_template_does(checkpoint) -> None:
    example = made(checkpoint, looks=1.0)[0][1]
    prompt = checkpoint.builder.tokenizer.decode(example.prompt.ids_L)
    tokenizer = checkpoint.builder.tokenizer
    messages = [{"role": "user", "content": "QUESTION"}]
    whole = tokenizer.apply_chat_template(
        messages, tools=[LOOK], chat_template=checkpoint.processor.chat_template, tokenize=False
    )
    assert prompt.startswith(whole.partition("QUESTION")[0])
    plain = made(checkpoint, looks=0.0)[0][1]
    assert "tools" not in tokenizer.decode(plain.prompt.ids_L)
    np.testing.assert_array_equal(example.prompt.ids_L[-len(plain.prompt) + 8 :], plain.prompt.ids_L[8:])


def test_what_would_be_dropped_in_silence_is_refused():
    """Looks and a head belong to supervised runs, and snapping to the coarse stamps would undo a look."""
    with pytest.raises(UserError, match="looks of a stage are shown in supervised runs"):
        load_recipe(GrpoSettings, "tiny-grpo", ["data.synth_stages=[{looks: 0.5}]"])
    with pytest.raises(UserError, match="frame_head is trained in supervised runs"):
        load_recipe(GrpoSettings, "tiny-grpo", ["model.frame_head=0.2"])
    with pytest.raises(UserError, match="snap moves answers to the stamps"):
        load_recipe(SftSettings, "tiny-sft", ["data.synth_stages=[{looks: 0.5, snap: true}]"])


def test_a_part_is_looked_at_in_the_time_of_its_file():
    whole = sample_scene(5, durations_s=(120.0, 130.0))
    scene = replace(cut(whole, 10.0, 110.0), clock_s=1000.0)
    rows = make_rows(scene, "v.mp4")
    found = looks(scene, rows, Sampling(factor=32, min_tokens_per_pair=4), np.random.default_rng(0))
    assert found
    for row in (row for row in rows if row.id in found and row.spans):
        clips = [turn.message.parts[0].clip for turn in found[row.id][1::2]]
        assert all(1000 <= clip.start_s < clip.end_s <= 1100 for clip in clips)
        assert any(clip.start_s < span.end_s and clip.end_s > span.start_s for clip in clips for span in row.spans)


def test_a_template_without_tools_is_refused(checkpoint) -> None:
    from timeground.chat.template import ChatTemplate

    template = ChatTemplate(
        checkpoint.builder.tokenizer,
        "{% for m in messages %}{{ m['role'] }}:{{ m['content'][0]['text'] }};{% endfor %}",
    )
    with pytest.raises(UserError, match="does not tell of tools"):
        template.tools_text([LOOK])
    assert (
        call_text(LOOK, {"start_s": 1.0})
        == '<tool_call>\n{"name": "look", "arguments": {"start_s": 1.0}}\n</tool_call>'
    )


def test_the_bundled_model_is_asked_with_the_tool_that_it_was_taught() -> None:
    import yaml
    from timeground.train.config import RECIPES

    recipe = yaml.safe_load((RECIPES / "tiny.yaml").read_text(encoding="utf-8"))
    assert LookTool.from_json(recipe["model"]["profile"]["look_tool"]).schema() == LOOK
