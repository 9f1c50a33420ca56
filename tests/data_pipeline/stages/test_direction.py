"""Which answers of a model count as a label."""

from __future__ import annotations

from timeground.data_pipeline.stages.direction import read_answer


def test_only_strict_json_is_an_answer():
    assert read_answer('{"reason": "he falls", "sensitive": true}') == ("sensitive", "he falls")
    assert read_answer('```json\n{"reason": "", "sensitive": false}\n```')[0] == "insensitive"
    for text in ("sensitive", '{"sensitive": "yes"}', "[]", "", "{" * 5000, '{"sensitive": true} I think'):
        assert read_answer(text)[0] == "unknown"
