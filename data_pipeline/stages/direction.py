"""Does the sentence tell time's direction? By rule where a rule is sure, else by a model; unknown stays unknown.

ArrowGEV (arXiv 2601.06559): *sensitive* has a forward direction, so that played backwards it is another event or an
impossible one; *insensitive* is a state that lasts or an action in cycles.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Literal

from timeground.data.row_checks import Direction as Label
from timeground.data.rows import Row
from timeground.media.views import blank

from ..item import Item, note
from ..tools import Tools
from .base import VideoStage, is_grounding

SENSITIVE = re.compile(
    r"\b(?:"
    r"open(?:s|ed|ing)?|clos(?:e|es|ed|ing)|enter(?:s|ed|ing)?|leav(?:e|es|ing)|left the|exit(?:s|ed|ing)?|"
    r"arriv(?:e|es|ed|ing)|appear(?:s|ed|ing)?|disappear(?:s|ed|ing)?|vanish(?:es|ed|ing)?|"
    r"(?:sit|sits|sitting|sat|lie|lies|lying|lay|kneel|kneels) down|(?:stand|stands|standing|stood|get|gets|got) up|"
    r"(?:pick|picks|picked|picking)(?: \w+){0,3} up|(?:put|puts|putting)(?: \w+){0,4} (?:down|on|in|into|away)|"
    r"pour(?:s|ed|ing)?|throw(?:s|n|ing)?|threw|drop(?:s|ped|ping)?|fall(?:s|ing)?|fell|break(?:s|ing)?|broke|"
    r"climb(?:s|ed|ing)?|(?:take|takes|taking|took) off|land(?:s|ed|ing)|grow(?:s|ing)?|grew|shrink(?:s|ing)?|shrank|"
    r"(?:get|gets|become|becomes) (?:bigger|larger|smaller|darker|brighter)|ris(?:e|es|ing)|rose|sink(?:s|ing)?|sank|"
    r"(?:move|moves|moved|moving|go|goes|went|going|slide|slides|slid|sliding|turn|turns|walk|walks|run|runs)"
    r"(?: \w+)? (?:left|right|up|down|upwards?|downwards?|together|apart|towards?|away|into|out|off|"
    r"to the (?:left|right))|"
    r"(?:come|comes|came|coming) (?:together|in|out|into)|meet(?:s|ing)?|separat(?:e|es|ed|ing)|"
    r"turn(?:s|ed|ing)? (?:on|off)|(?:start|starts|begin|begins|stop|stops) to|"
    r"before|after|the (?:first|last) time|then|until"
    r")\b",
    re.IGNORECASE,
)
INSENSITIVE = re.compile(
    r"\b(?:is|are|was|were) (?:visible|seen|shown|sitting|standing(?! up)|lying(?! down)|sleeping|there|in the picture|"
    r"on the screen)\b|\bcan be seen\b|"
    r"\b(?:blinks?|blinking|flash(?:es|ing)?|flickers?|spins?|rotates?|danc(?:es?|ing)|"
    r"wav(?:es?|ing)|clap(?:s|ping)?|swings?|jog(?:s|ging)|holds?|holding|wears?|wearing|smil(?:es?|ing)|looks? at)\b",
    re.IGNORECASE,
)


class Direction(VideoStage):
    """Sets ``direction`` where it is unknown (everywhere, with `again`). model: None asks none."""

    stage: Literal["direction"] = "direction"
    model: str | None = None
    again: bool = False

    def models(self) -> list[str]:
        """The judge, if there is one."""
        return [self.model] if self.model else []

    def prompt_names(self) -> list[str]:
        """The question to the judge."""
        return ["direction"] if self.model else []

    def run(self, item: Item, tools: Tools) -> None:
        """By rule first; the model is asked about the rest, in one go."""
        rows = [row for row in item.rows if is_grounding(row) and (self.again or row.direction == "unknown")]
        asked = []
        for row in rows:
            label = by_rule(row.query)
            if label == "unknown":
                asked.append(row)
            else:
                _set(row, label, "by rule")
        if self.model and asked:
            self._judge(self.model, item, asked, tools)

    def _judge(self, name: str, item: Item, rows: list[Row], tools: Tools) -> None:
        """Ask the model about the sentences alone; it is shown a grey picture."""
        model, prompt = tools.model(name), tools.prompt("direction")
        seen = model.watch(blank(tools.clip(item.video, replace(model.sampling(), max_frames=4))))
        texts = [prompt.fill(query=row.query) for row in rows]
        for row, (answer,) in zip(rows, model.say(seen, texts, max_new_tokens=256), strict=True):
            label, reason = read_answer(answer.text)
            if label != "unknown":
                _set(row, label, reason, prompt.version)
            row.quality["direction_by"] = (
                name if label != "unknown" else "nobody: the answer was not the JSON asked for"
            )


def by_rule(query: str) -> Label:
    """What the words tell, where only one side has words in the sentence."""
    sensitive, insensitive = SENSITIVE.search(query), INSENSITIVE.search(query)
    if bool(sensitive) == bool(insensitive):
        return "unknown"
    return "sensitive" if sensitive else "insensitive"


def read_answer(text: str) -> tuple[Label, str]:
    """Exactly ``{"reason": text, "sensitive": true or false}``, perhaps in a code fence; anything else is unknown."""
    bare = re.sub(r"^```(?:json)?\s*|\s*```$", "", text.strip())
    try:
        said = json.loads(bare)
    except (ValueError, RecursionError):
        return "unknown", ""
    if not isinstance(said, dict) or not isinstance(said.get("sensitive"), bool):
        return "unknown", ""
    return "sensitive" if said["sensitive"] else "insensitive", str(said.get("reason", ""))[:300]


def _set(row: Row, label: Label, why: str, prompt: str | None = None) -> None:
    if row.direction != label:
        row.direction = label
        note(row, "direction", "direction", f"{label}: {why}", prompt)
