"""Several methods in one run: each in a folder of its own, as if it were run alone, and then side by side.

What one method answered lies in its folder only, so that another never goes on with it. The model is opened once.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from timeground.errors import UserError
from timeground.files.folder_lock import only_run

from .outcome import TaskOutcome
from .run import Runtime, Work, answer_tasks, peers
from .settings import RunSettings, folder_name, refuse_others, run_facts, write_settings
from .side_by_side import write_side_by_side


def evaluate_methods(settings: RunSettings, methods: Sequence[str], output: Path, runtime: Runtime) -> None:
    """Run the tasks by each method, the first one being what others are compared with.

    A run of other methods in `output` is added to. Raise UserError for a method that is named twice, one that is not
    there, or a folder that holds anything else.
    """
    if len(set(methods)) < len(methods):
        raise UserError("--method: a method is named twice")
    if runtime.calibrate:
        raise UserError("--calibrate fits the answers of one method; give one --method, or leave it out")
    runs = {method: replace(settings, method=method) for method in methods}
    work = Work.of(settings, runtime)
    is_first = os.environ.get("RANK", "0") == "0"
    with only_run(output), peers():
        if is_first:
            facts = run_facts(settings, work.tasks) | {"method": None}  # a run of one method names it
            refuse_others(output, facts)
            write_settings(output, facts | {"methods": list(methods)})
        found: dict[str, list[TaskOutcome]] = {}
        for method, run in runs.items():
            folder = output / folder_name(method)
            if is_first:
                print(f"method {method}:")
            with only_run(folder):
                found[method] = answer_tasks(work, run, folder)
        if is_first:
            write_side_by_side(output, settings.model, found, work.model())
