"""Reports of the faults that the clocks show: code that anyone can run without a checkpoint, and what is right.

The page prints what each piece of code prints, so a report cannot say what does not happen.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from timeground.doctor.processors.check import ProcessorReport
from timeground.doctor.processors.verdicts import Verdict

RUN = (  # a torchvision beside a CPU torch is mended first
    "import runpy, sys; from timeground.models.torchvision_repair import repair_torchvision; repair_torchvision(); "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)


@dataclass(frozen=True)
class Fault:
    """A report that could be sent upstream."""

    title: str
    processors: tuple[str, ...]
    """Model types; empty for any."""
    verdict: Verdict
    """What the clocks say of these, if the fault is there."""
    code: str
    right: str
    note: str = ""
    """A part of what the clocks note of the processor."""

    def is_found(self, reports: Iterable[ProcessorReport]) -> bool:
        """Return whether the clocks show it."""
        return any(
            finding.verdict == self.verdict and self.note in report.note
            for report in reports
            if not self.processors or report.name in self.processors
            for finding in report.findings
        )

    def seen(self) -> str:
        """Run the code in a process of its own and return what it prints; of an error, the last line."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.py"
            path.write_text(self.code, encoding="utf-8")
            done = subprocess.run(
                [sys.executable, "-W", "ignore", "-c", RUN, str(path)], capture_output=True, text=True, cwd=folder
            )
        printed = done.stdout.strip()
        return printed if done.returncode == 0 else "\n".join([printed, done.stderr.strip().splitlines()[-1]]).strip()


FAULTS = (
    Fault(
        "Nemotron-H-Omni: the clock drifts, by 1.0 % at 30 fps, 1.6 % at 24 fps and 4 % at 60 fps",
        ("nemotron_h_omni",),
        "drift",
        """\
from types import SimpleNamespace
from transformers import NemotronH_Omni_Reasoning_V3Processor as Processor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(image_start_token="<img>", image_token="", image_end_token="</img>", video_temporal_patch_dim=2)
for fps in (24.0, 25.0, 30.0, 60.0):
    hour = VideoMetadata(total_num_frames=int(3600 * fps), fps=fps, frames_indices=[0, int(3599 * fps)])
    print(fps, Processor.replace_video_token(me, {"num_tokens": [1]}, 0, num_frames=2, video_metadata=hour))
""",
        "The second frame is 3599 s into the video at every rate. `frame_duration_ms = int(1000.0 / source_fps)` drops "
        "a fraction of a millisecond for every frame; `index / source_fps` does not.",
    ),
    Fault(
        "Nemotron-H-Omni: no times from a path, and an error for a list of metadata",
        ("nemotron_h_omni",),
        "no time",
        """\
from types import SimpleNamespace
from transformers import NemotronH_Omni_Reasoning_V3Processor as Processor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(image_start_token="<img>", image_token="", image_end_token="</img>", video_temporal_patch_dim=2)
metadata = VideoMetadata(total_num_frames=300, fps=30.0, frames_indices=[0, 150])
for given in (metadata, None, [metadata]):  # None is what `__call__` hands on when `videos` is a path
    print(Processor.replace_video_token(me, {"num_tokens": [1]}, 0, num_frames=2, video_metadata=given))
""",
        "`__call__` reads `video_metadata` from the caller's arguments only. What the video processor finds "
        "in the file (`return_metadata=True`) should reach the prompt, and a list should mean one entry a video.",
    ),
    *(
        Fault(
            f"{name}: the rate of the metadata is not looked at; without `fps=`, {default} a second is told",
            (model_type,),
            "wrong default",
            f"""\
from types import SimpleNamespace
import torch
from transformers import {cls} as Processor, Qwen2VLVideoProcessor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(video_processor=Qwen2VLVideoProcessor(), replace_video_token=lambda *args, **kwargs: "")
frames = torch.zeros(40, 3, 112, 112, dtype=torch.uint8)  # every quarter of a second of 10 s, so 4 fps
metadata = VideoMetadata(total_num_frames=320, fps=32.0, frames_indices=list(range(0, 320, 8)))
given = dict(video_metadata=[metadata], do_sample_frames=False, return_tensors="pt")
out, _ = Processor._process_videos(me, [frames], videos_kwargs=given, load_audio_from_video=False)
print("told", out["video_second_per_grid"], "of 2 frames; right is", 2 / metadata.sampled_fps)
""",
            "`2 / metadata.sampled_fps` seconds a grid, as Qwen2.5-VL has it. A path without `fps=` fares worst: every "
            "frame of the file is taken, and each is told as if it were one of the default rate.",
        )
        for name, model_type, cls, default in (
            ("Qwen2.5-Omni", "qwen2_5_omni", "Qwen2_5OmniProcessor", "2"),
            ("Qwen3-Omni", "qwen3_omni_moe", "Qwen3OmniMoeProcessor", "1"),
        )
    ),
    Fault(
        "Qwen2.5-Omni and Qwen3-Omni: the rate that is asked for is told, not the rate at which frames are taken",
        ("qwen2_5_omni", "qwen3_omni_moe"),
        "drift",
        """\
from types import SimpleNamespace
import torch
from transformers import Qwen2_5OmniProcessor as Processor, Qwen2VLVideoProcessor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(video_processor=Qwen2VLVideoProcessor(), replace_video_token=lambda *args, **kwargs: "")
frames = torch.zeros(300, 3, 112, 112, dtype=torch.uint8)  # 10 s at 30 fps
metadata = VideoMetadata(total_num_frames=300, fps=30.0)
given = dict(video_metadata=[metadata], fps=2.5, do_sample_frames=True, return_tensors="pt")
out, _ = Processor._process_videos(me, [frames], videos_kwargs=given, load_audio_from_video=False)
print("told", out["video_second_per_grid"], "of 2 frames; right is", 2 / metadata.sampled_fps)
""",
        "The number of frames is rounded down to an even one and they are spread over the whole file, so 24 frames of "
        "10 s are 2.4 a second. `metadata.sampled_fps` knows.",
    ),
    Fault(
        "Gemma 4: whole seconds, so frames of the same second have the same time",
        ("gemma4", "gemma4_unified", "embedding_gemma2"),
        "rounding",
        """\
from types import SimpleNamespace
from transformers import Gemma4Processor as Processor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(boi_token="<boi>", video_token="", eoi_token="<eoi>")
metadata = VideoMetadata(total_num_frames=300, fps=30.0, frames_indices=[0, 10, 20, 29, 30])  # 0 to 1 s
print(Processor.replace_video_token(me, {"num_soft_tokens_per_video": [1], "video_metadata": [metadata]}, 0))
""",
        "0.00, 0.33, 0.67, 0.97 and 1.00 s. If `mm:ss` is what the model was trained with, rounding to the nearest "
        "second would halve the error. `embedding_gemma2` (with `add_timestamps=True`) writes the same.",
    ),
    Fault(
        "GLM-4V: whole seconds, truncated",
        ("glm4v",),
        "rounding",
        """\
from transformers import Glm4vProcessor as Processor

me = type("Processor", (), {"image_token": ""})()
for seconds in (0.0, 0.5, 0.97, 1.93):
    print(seconds, Processor.replace_frame_token_id(me, seconds))
""",
        "A digit after the point, as GLM-4.6V writes it, or the nearest second.",
    ),
    Fault(
        "SmolVLM: whole seconds, truncated",
        ("smolvlm",),
        "rounding",
        """\
from types import SimpleNamespace
import torch
from transformers import SmolVLMProcessor as Processor
from transformers.video_utils import VideoMetadata

me = SimpleNamespace(image_seq_len=0, image_token="", fake_image_token="", global_image_token="<frame>")
metadata = VideoMetadata(total_num_frames=300, fps=30.0, duration=10.0, frames_indices=[0, 15, 29, 30])
video = {"pixel_values": torch.zeros(1, 4), "video_metadata": [metadata]}
print(Processor.replace_video_token(me, video, 0).strip())
""",
        "0.00, 0.50, 0.97 and 1.00 s; frames of the same second have the same time.",
    ),
    Fault(
        "Cosmos3-Edge, Muse: KeyError: 'video_metadata' unless `return_metadata=True` is given",
        ("cosmos3_edge", "muse_glimmer", "muse_spark"),
        "ok",
        """\
from types import SimpleNamespace
import torch
from transformers import Cosmos3EdgeProcessor, Cosmos3EdgeVideoProcessor, Qwen3VLProcessor

print("Qwen3-VL:", Qwen3VLProcessor.videos_kwargs)
print("Cosmos3-Edge:", getattr(Cosmos3EdgeProcessor, "videos_kwargs", "nothing"))
me = SimpleNamespace(video_processor=Cosmos3EdgeVideoProcessor())
frames = torch.zeros(4, 3, 112, 112, dtype=torch.uint8)
out = me.video_processor([frames], do_sample_frames=False, return_tensors="pt")
Cosmos3EdgeProcessor.replace_video_token(me, out, 0)
""",
        'The class should say `videos_kwargs = {"return_metadata": True}`, as its neighbours do.',
        note="KeyError",
    ),
    Fault(
        "Frames with `fps=`: the rate is taken and not used, 24 a second (or 2, or 1) is told",
        (),
        "wrong default",
        """\
import torch
from transformers import Qwen3VLProcessor, Qwen3VLVideoProcessor

frames = torch.zeros(20, 3, 64, 64, dtype=torch.uint8)  # 2 a second, 10 s
videos = Qwen3VLVideoProcessor()(
    [frames], fps=2.0, do_sample_frames=False, return_metadata=True, cap_pixels_per_frame=False, return_tensors="pt"
)
metadata = videos["video_metadata"][0]
print("rate:", metadata.fps)
print("times:", Qwen3VLProcessor._calculate_timestamps(None, metadata.frames_indices, metadata.fps or 24)[:3])
""",
        "0.25, 1.25 and 2.25 s: with `do_sample_frames=False` an `fps` can only mean the rate of these frames. If it "
        "is not to be used, an error is better than a time that is wrong by a factor of 12.",
    ),
    Fault(
        "Variable frame rate, and files that do not start at 0: `VideoMetadata` cannot say the times",
        (),
        "uneven",
        """\
from fractions import Fraction
import av, numpy
from transformers.video_utils import load_video

shown_ms = [5000, 5100, 5200, 8200, 8300, 8400]  # starts at 5 s, and one frame stands for 3 s
with av.open("video.mp4", "w") as container:
    stream = container.add_stream("libx264", rate=30)
    stream.width = stream.height = 64
    stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
    for ms in shown_ms:
        frame = av.VideoFrame.from_ndarray(numpy.zeros((64, 64, 3), "uint8"), format="rgb24")
        frame.pts, frame.time_base = ms, stream.time_base
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
_, metadata = load_video("video.mp4", backend="pyav")
print([round(float(t), 2) for t in metadata.timestamps])
""",
        "`[5.0, 5.1, 5.2, 8.2, 8.3, 8.4]`. `timestamps` is frame number / mean rate for every processor. The decoders "
        "know when each frame is shown (`pts_seconds` in torchcodec, `frame.time` in PyAV); the metadata could too.",
    ),
)
