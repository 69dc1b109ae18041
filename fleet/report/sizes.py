"""Sizes for people."""

from __future__ import annotations


def in_bytes(size: int) -> str:
    """Write a size for people, with powers of ten as disks have them."""
    if size < 1000:
        return f"{size} bytes"
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 1000 or unit == "GB":
            break
    return f"{number:.1f} {unit}"
