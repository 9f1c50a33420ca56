"""Searching a long video with the bundled model: what is looked at, what it costs, and every kind of question."""

from dataclasses import replace

import pytest

from tests.support.headed_model import make_headed
from timeground.chat.evidence import Mix, SearchFit
from timeground.data.rows import Row, read_rows
from timeground.errors import UserError
from timeground.media.video import Video
from timeground.methods import load_method
from timeground.methods.base import Method, Outcome
from timeground.methods.direct import Direct
from timeground.methods.grounder import Grounder
from timeground.methods.scan import scan_sampling
from timeground.methods.search import Search
from timeground.methods.speculative import Speculative, head_look
from timeground.models.local.model import LocalModel
from timeground.models.sampling import SampleSpec
from timeground.spans import Span

WINDOW_S = 4.0
BOTH = pytest.mark.parametrize("name", ["search", "speculative"])


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return LocalModel.from_pretrained("tiny", overrides={"window_s": WINDOW_S})


@pytest.fixture(scope="module")
def rows(video: Video) -> list[Row]:
    return [
        Row("g", "v", video.duration_s, "the red circle moves left"),
        Row("h", "v", video.duration_s, "the blue ring is on the screen"),
        Row("c", "v", video.duration_s, question="Which?", options=["a ring", "a cross"]),
        Row("y", "v", video.duration_s, question="Does this happen: the red ring grows?", answer="no"),
        Row("e", "v", video.duration_s, question="List the events with their times.", meta={"events": []}),
        Row("o", "v", video.duration_s, question="What can be seen in the video?", answer="x"),
    ]


def by(method: type[Method], model: LocalModel, video: Video, rows: list[Row], **more: object) -> list[list[Outcome]]:
    with method(model, video, **more) as asked:
        return asked.answers(rows)


@BOTH
def test_every_kind_of_question_is_searched_for_and_every_look_is_told(name, model, video, rows) -> None:
    with load_method(f"{name}:max_looks=3")(model, video) as asked:
        groups = asked.answers(rows, SampleSpec(num_answers=2, temperature=1.0))
        assert asked.size_bytes == 0, "frames of the whole video were read"
    for row, group in zip(rows, groups, strict=True):
        assert len(group) == 2
        for outcome in group:
            looks = outcome.trace.looks
            close = [look for look in looks if look.parent is not None and not look.is_draft]
            scans = [look for look in looks if look.parent is None]
            assert scans and len(close) + sum(look.is_draft for look in looks) >= 1
            assert scans[0].window.start_s == 0 and scans[-1].window.end_s == pytest.approx(video.duration_s, abs=0.2)
            assert len({look.window for look in looks if look.parent is not None and not look.is_draft}) == len(close)
            assert all(look.why for look in looks if look.parent is not None), row.id
            assert outcome.trace.visual_tokens == sum(look.visual_tokens for look in looks) > 0
            assert outcome.trace.num_calls >= len(looks)
            told = outcome.trace.to_json()["looks"]
            assert sum(one.get("draft", False) for one in told) == sum(look.is_draft for look in looks)
            for span in outcome.answer.spans:
                assert 0 <= span.start_s < span.end_s <= video.duration_s + 0.01


@BOTH
def test_rows_are_answered_as_one_at_a_time(name, model, video, rows) -> None:
    together = by(load_method(name), model, video, rows[:3])
    for row, (outcome,) in zip(rows[:3], together, strict=True):
        ((alone,),) = by(load_method(name), model, video, [row])
        assert alone.answer == outcome.answer
        assert [look.window for look in alone.trace.looks] == [look.window for look in outcome.trace.looks]


@BOTH
@pytest.mark.parametrize("setting", ["max_visual_tokens", "max_calls", "max_looks"])
def test_budgets_are_hard(name, setting, model, video, rows) -> None:
    ((free,),) = by(load_method(f"{name}:max_looks=6"), model, video, rows[:1])
    full = {"max_visual_tokens": free.trace.visual_tokens, "max_calls": free.trace.num_calls, "max_looks": 6}[setting]
    limit = full - 1
    held_to = f"{name}:{setting}={limit}" + ("" if setting == "max_looks" else ":max_looks=6")
    ((held,),) = by(load_method(held_to), model, video, rows[:1])
    assert len(held.trace.looks) < len(free.trace.looks)
    assert held.trace.visual_tokens <= limit if setting == "max_visual_tokens" else True
    assert held.trace.num_calls <= limit if setting == "max_calls" else True
    if setting != "max_looks":
        with pytest.raises(UserError, match="ends before one close look; raise max_visual_tokens"):
            by(load_method(f"{name}:{setting}=1"), model, video, rows[:1])


def test_it_stops_once_it_is_sure_and_nothing_else_is_likely(model, synth_folder) -> None:
    """With a mix that is sure of every proposal and expects none, the first one ends the search."""
    row = next(row for row in read_rows(synth_folder / "annotations.jsonl") if row.meta.get("action") == "visible")
    video = Video.open(synth_folder / row.video)
    certain = LocalModel.from_pretrained("tiny", overrides={"window_s": WINDOW_S})
    fit = SearchFit(order=Mix({"happens": 0.0}, -9.0), answer=Mix({"happens": 0.0}, 9.0))
    certain.profile = replace(certain.profile, search=fit)
    looks = {}
    for name, asked in (("sure", certain), ("unsure", model)):
        ((outcome,),) = by(load_method("search:max_looks=40"), asked, video, [row])
        scans = sum(look.parent is None for look in outcome.trace.looks)
        looks[name] = outcome.trace.looks[scans:]
        if name == "sure":
            first = next(number for number, look in enumerate(looks[name]) if look.found)
            after = looks[name][first + 1 :]
            assert all((look.parent or 0) >= scans for look in after), "only what a border cut off is looked at then"
    assert len(looks["sure"]) < len(looks["unsure"])


def test_a_short_video_is_looked_at_closely_at_once(model, video, rows) -> None:
    ((outcome,),) = by(Search, model, video, rows[:1], window=Span(2.0, 6.0))
    (look,) = outcome.trace.looks
    with Direct(model, video, Span(2.0, 6.0)) as direct:
        ((alone,),) = direct.answers(rows[:1])
    assert look.window == Span(2.0, 6.0) and look.num_frames == direct.look.num_frames
    assert outcome.trajectories[0].turns == alone.trajectories[0].turns


def test_a_scan_costs_little(model, video, rows) -> None:
    """A quarter of the frames, each as small as the profile allows."""
    sampling = scan_sampling(model.sampling())
    assert sampling.fps == model.sampling().fps / 4 and sampling.max_tokens_per_pair == sampling.min_tokens_per_pair
    ((outcome,),) = by(load_method("search:max_looks=1"), model, video, rows[:1])
    scans = [look for look in outcome.trace.looks if look.parent is None]
    assert sum(look.visual_tokens for look in scans) < 2 * video.duration_s + 8 * len(scans)


def test_a_draft_reads_little_and_the_model_only_what_it_picks(model, video, rows) -> None:
    ((drafted,),) = by(load_method("speculative:max_looks=4"), model, video, rows[1:2])
    drafts = [look for look in drafted.trace.looks if look.is_draft]
    assert len(drafts) == 4
    for look in drafted.trace.looks:
        if look.parent is not None and not look.is_draft:
            near = [one.window for one in drafts if look.window.start_s < one.window.end_s + 3]
            assert near, "the model looked where no draft did"


def test_the_head_alone_drafts_where_there_is_one(model, video, rows) -> None:
    clip = video.part(Span(0.0, 8.0), model.sampling())
    with pytest.raises(UserError, match="no text-to-frame head"):
        head_look(replace_scores(model, None), clip, rows[0], model.sampling())
    import torch

    odds = torch.full((1, (clip.num_frames + 1) // 2), -4.0)
    odds[0, 2:4], odds[0, -1] = 3.0, 1.0
    look, finding = head_look(replace_scores(model, odds), clip, rows[0], model.sampling())
    times_s = clip.pair_times_s()[:, 0].tolist()
    assert [one.span.start_s for one in finding.proposals] == [times_s[2], times_s[-1]]
    assert finding.proposals[0].span.end_s == times_s[4] and finding.score == pytest.approx(0.9526, abs=1e-3)
    assert look.num_frames == clip.num_frames


def replace_scores(model: LocalModel, scores: object) -> LocalModel:
    other = LocalModel.__new__(LocalModel)
    vars(other).update(vars(model))
    other.frame_scores = lambda clip, queries: scores  # type: ignore[method-assign]
    return other


def test_an_index_says_where_to_look_and_costs_a_query_nothing(
    model, qwen3_folder, tmp_path, video, rows, monkeypatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = make_headed(qwen3_folder, tmp_path / "model")
    headed = LocalModel.from_pretrained(folder, overrides={"window_s": WINDOW_S})
    ((found,),) = by(load_method("search:start=index:max_looks=2"), headed, video, rows[:1])
    first, *close = found.trace.looks
    assert (first.visual_tokens, first.num_frames) == (0, 0) and first.evidence.keys() == {"frames"}
    assert len(close) == 2 and all(look.why.keys() >= {"frames"} for look in close)
    assert found.trace.num_calls == sum(2 for _ in close)
    ((again,),) = by(load_method("search:start=index:max_looks=2"), headed, video, rows[:1])
    assert again.trace.looks == found.trace.looks
    with pytest.raises(UserError, match="no text-to-frame head"):
        by(load_method("search:start=index"), model, video, rows)
    with pytest.raises(UserError, match="only frames are there"):
        by(load_method("search:start=index"), headed, Video.of(video.clip()), rows)


def test_choices_have_shares_and_answers_their_trace_in_the_api(model, video) -> None:
    watched = Grounder(model, "search:max_looks=2").watch(video)
    answer = watched.ask("Which shape moves?", ["red circle", "blue ring"])
    assert sum(answer.shares) == pytest.approx(1.0)
    (found,) = watched.ground("the blue ring is on the screen")
    assert found.to_json()["trace"]["looks"][-1]["why"] and found.sparse is None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("search:max_look=3", "has no setting max_look; there are: max_calls, max_looks"),
        ("search:max_looks=-1", "max_looks is -1"),
        ("search:max_looks=many", "max_looks is 'many'"),
        ("search:start=end", "start is 'end', expected scan or index"),
        ("search:order=luck", "order is 'luck', expected one of evidence"),
        ("direct:max_looks=3", "method direct has no setting max_looks; there are: none"),
        ("max_looks=3:search", "settings come last"),
        ("tools:max_turns=0", "max_turns is 0"),
    ],
)
def test_settings_in_a_name_are_checked(name: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_method(name)


def test_settings_in_a_name_are_the_methods_own() -> None:
    assert load_method("search:max_looks=3:order=chance").options.max_looks == 3
    assert Search.options.max_looks == 0 and issubclass(load_method("speculative:draft=frames"), Speculative)
