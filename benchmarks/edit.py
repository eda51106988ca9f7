"""From the save of a file to the next answer: a function whose code is a folder below --hot-reload-root."""

import statistics
import time
from pathlib import Path
from typing import Any

SAVES = 15
PAUSE_S = 0.5
"""Somebody edits: what the platform makes ready behind an answer is ready at the next save."""


def measured(subject: Any, folder: Path, function: str) -> dict[str, float]:
    """p50 (ms) of an invoke right behind a save, and of one without; the function exists."""
    client = subject.client("lambda")
    client.update_function_code(FunctionName=function, S3Bucket="hot-reload", S3Key=str(folder))
    subject.wait_active(function)
    saved: list[float] = []
    warm: list[float] = []
    for number in range(SAVES):
        (folder / "app.py").write_text(f"def handler(event, context):\n    return {number}\n")
        for taken in (saved, warm):
            began = time.perf_counter()
            answer = client.invoke(FunctionName=function)["Payload"].read()
            taken.append((time.perf_counter() - began) * 1000)
            if answer != str(number).encode():
                raise RuntimeError(f"save {number} was answered {answer[:200]!r}")
        time.sleep(PAUSE_S)
    return {"edit_ours": statistics.median(saved[1:]), "edit_warm": statistics.median(warm[1:])}
