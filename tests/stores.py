"""What tests of stores share."""

import os
from pathlib import Path


def files_in(folder: Path) -> dict[str, bytes]:
    """All that has to be equal between two stores: everything but logs and what was put aside."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {
        name: content
        for name, content in found.items()
        if name.split(os.sep)[0] not in ("logs", "quarantine")
    }
