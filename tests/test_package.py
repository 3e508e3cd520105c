"""The wheel carries what the program needs, and finds it there."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_wheel_holds_weights_and_data(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    data = [
        p for p in (ROOT / "siamcli").rglob("*") if p.suffix in (".toml", ".csv", ".json", ".html", ".typed")
    ]
    wanted = {str(p.relative_to(ROOT)) for p in data}
    wanted |= {f"siamcli/weights/{p.name}" for p in (ROOT / "weights").glob("*.safetensors")}
    assert wanted <= names and "siamcli/py.typed" in names
    where = "from siamcli.checkpoints.store import available; print(*available().values())"
    found = subprocess.run(
        [sys.executable, "-c", where], cwd=tmp_path / "site", capture_output=True, text=True, check=True
    )
    bundled = [Path(p) for p in found.stdout.split() if p.startswith(str(tmp_path))]
    assert {p.name for p in bundled} == {p.name for p in (ROOT / "weights").glob("*.safetensors")}


def test_only_video_needs_ffmpeg(tmp_path):
    """Training and the GPU tests start where the package with ffmpeg is missing; a video says what to do."""
    (tmp_path / "imageio_ffmpeg.py").write_text("raise ImportError('not here')")
    hidden = os.environ | {"PYTHONPATH": str(tmp_path)}

    def siamtrack(*arguments: str | Path) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "siamcli", *arguments]
        return subprocess.run(command, cwd=ROOT, env=hidden, capture_output=True, text=True, check=False)

    assert siamtrack("train", "siamrpnpp-r18", "--print-config").returncode == 0
    ran = siamtrack("run", "tests/data/demo.mp4", "--box", "10,10,50,50", "-o", tmp_path / "x.json")
    assert ran.returncode != 0 and "no ffmpeg found" in ran.stderr and "imageio-ffmpeg" in ran.stderr
    assert "Traceback" not in ran.stderr
    collect = [sys.executable, "-m", "pytest", "-n", "0", "-m", "gpu", "--collect-only", "tests/test_gpu.py"]
    found = subprocess.run(collect, cwd=ROOT, env=hidden, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
