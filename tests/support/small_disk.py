"""A program that finds a small disk in a folder, which nobody else sees; it takes root, and Linux."""

from collections.abc import Sequence

MOUNTED = f"""
import ctypes, os, runpy, shutil, subprocess, sys

_, folder, size, then, module, *arguments = sys.argv
assert ctypes.CDLL(None, use_errno=True).unshare({0x20000}) == 0, os.strerror(ctypes.get_errno())
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
os.makedirs(folder, exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={{size}}", "tmpfs", folder], check=True)
sys.argv = [module, *arguments]
sys.path[0] = os.getcwd()
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
finally:
    exec(then)
"""


def on_small_disk(folder: str, size: str, command: Sequence[str], *, then: str = "") -> list[str]:
    """Return `command`, ``python -m …``, with a disk of `size` mounted on `folder`; `then` is code for its end."""
    python, dash_m, *words = command
    assert dash_m == "-m"
    return [python, "-c", MOUNTED, folder, size, then, *words]
