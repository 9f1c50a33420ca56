"""What the guides say is what the program does."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from timeground.train.config import RECIPES

from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.chat.prompts import PROMPTS
from timeground.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_examples_in_the_grammar_page_run():
    result = doctest.testfile(str(ROOT / "docs" / "answers.md"), module_relative=False)
    assert result.attempted > 3 and result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere_and_commands_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("http") or (page.parent / target).exists(), target
    fenced = "\n".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    named = re.findall(r"^timeground (\w+)", fenced, re.MULTILINE) + re.findall(r"`timeground (\w+)", text)
    assert set(named) <= set(COMMANDS)
    for recipe in re.findall(r"train sft ([\w-]+)(?![\w./-])", text):
        assert recipe == "RECIPE" or recipe == "my" or (RECIPES / f"{recipe}.yaml").exists()
    for module in re.findall(r"python -m (benchmarks\.\w+)", text):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists()


def test_the_profiles_page_lists_every_setting_and_encoding():
    text = (ROOT / "docs" / "profiles.md").read_text(encoding="utf-8")
    for name in (*Profile.__dataclass_fields__, *PROMPTS, *(e.value for e in TimeEncoding)):
        assert f"`{name}`" in text, name


def test_the_readme_shows_the_two_make_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE):
        assert f"\n{target}:" in makefile
