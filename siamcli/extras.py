"""Optional packages, and the commands that install them."""

from __future__ import annotations

__all__ = ["CPU_TORCH", "EXTRAS", "install_extra"]

CPU_TORCH = "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cpu"
"""Replaces a PyTorch with CUDA, several gigabytes, by the one for the CPU alone."""

EXTRAS = {
    "openvino": "openvino",
    "onnx": "onnxruntime",
    "plots": "matplotlib",
    "ray": "ray",
    "live": "websockets",
}
"""Every extra for users, and a module by which one sees that it is there."""


def install_extra(name: str) -> str:
    """What to type; siamtrack is installed from its folder, as no package index has it.

    >>> install_extra("ray")
    "in siamtrack's folder: pip install -e '.[ray]'"
    """
    return f"in siamtrack's folder: pip install -e '.[{name}]'"
