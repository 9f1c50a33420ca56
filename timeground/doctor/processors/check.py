"""Handing every clip to a processor in every way, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from timeground.doctor.diagnosis import reason
from timeground.doctor.processors.building import build
from timeground.doctor.processors.catalogue import Entry, class_named
from timeground.doctor.processors.clips import WAYS, TimedClip, Way, clips_of
from timeground.doctor.processors.reading import UNKNOWN, UNTIMED, ask
from timeground.doctor.processors.verdicts import Finding, find

TRIAL: tuple[tuple[Way, str], ...] = (("frames, metadata", "30 fps"), ("path", "30 fps"))
OPTIONS: dict[str, dict[str, Any]] = {"embedding_gemma2": {"add_timestamps": True}}
"""What switches a processor's times on, where they are off by default."""


@dataclass
class ProcessorReport:
    """What one processor tells."""

    name: str
    also: tuple[str, ...]
    processor: str | None
    video_processor: str | None
    how: str = ""
    """Where and how it tells the time."""
    note: str = ""
    findings: list[Finding] = field(default_factory=list)


def check_processor(entry: Entry, clips: Sequence[TimedClip]) -> ProcessorReport:
    """Return what a processor tells of each clip, handed over in each way. Never raise."""
    report = ProcessorReport(entry.name, entry.also, entry.processor, entry.video_processor)
    if entry.processor is None:
        report.how = "takes no text: an encoder of frames"
        return report
    if class_named(entry.video_processor) is None:
        report.how = "transformers names no video processor for it"
        return report
    try:
        processor = build(entry)
    except Exception as error:
        report.findings.append(Finding("building it", "", "refused", note=reason(error)))
        report.how = UNKNOWN
        return report
    if getattr(processor, "video_token", None) is None:
        report.how = "its text has no place for a video"
        return report
    options = OPTIONS.get(entry.name, {})
    if options:
        report.note = "with " + ", ".join(f"`{name}={value}`" for name, value in options.items())
    _ask_all(report, processor, clips, options)
    return report


def _ask_all(report: ProcessorReport, processor: Any, clips: Sequence[TimedClip], options: dict[str, Any]) -> None:
    """Fill a report. A processor that tells no time of a plain clip is not asked further."""
    by_name = {clip.name: clip for clip in clips}
    trial = [_ask(report, processor, by_name[name], way, options) for way, name in TRIAL]
    if not any(finding.told_s for finding in trial):
        report.findings = trial
        report.how = report.how or UNKNOWN
        return
    samples = bool(getattr(processor.video_processor, "do_sample_frames", False))
    for way in WAYS:
        for clip in clips_of(way, clips, samples):
            known = next((f for f in trial if (f.way, f.clip) == (way, clip.name)), None)
            report.findings.append(known or _ask(report, processor, clip, way, options))


def _ask(report: ProcessorReport, processor: Any, clip: TimedClip, way: Way, options: dict[str, Any]) -> Finding:
    """Hand over one clip; what the processor raises is a finding."""
    try:
        told = ask(processor, clip, way, options)
    except Exception as error:
        return Finding(way, clip.name, "refused", note=reason(error))
    report.note = report.note or told.note
    if told.times_s or not report.how or report.how == UNTIMED:
        report.how = told.how
    return find(way, clip, told)
