"""What the guides say is what the program does."""

from __future__ import annotations

import ast
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
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


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


TOUR = re.compile(r"^\| `([\w.]+)` \| `([\w/.]+\.py)` \|", re.MULTILINE)


def defined(path: Path) -> set[str]:
    """Functions, classes, their methods, and constants of a module, also those that it imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def test_the_tour_leads_past_what_is_there():
    steps = TOUR.findall((ROOT / "docs" / "tour.md").read_text(encoding="utf-8"))
    assert len(steps) > 40
    for name, file in steps:
        assert name in defined(ROOT / file), f"docs/tour.md: {file} has no {name}"


def test_the_reading_map_names_files_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text[text.index("## What to read") : text.index("## How a refactor")]
    files = re.findall(r"`([\w/.]+\.(?:py|yaml))`", section)
    assert len(files) > 20
    folders = [ROOT, ROOT / "timeground", ROOT / "timeground" / "models" / "families"]
    assert [file for file in files if not any((folder / file).is_file() for folder in folders)] == []
