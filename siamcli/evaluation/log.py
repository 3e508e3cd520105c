"""The log beside the result files of an evaluation: it records which tracker made which of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from siamcli.atomic import as_output_error
from siamcli.schema import from_record, load_json

__all__ = ["SequenceResult", "add_to_log", "others_in_words", "read_log", "sha256_of"]

LOG = "run.jsonl"
SHOWN = 3  # other trackers that are described


@dataclass(frozen=True, slots=True)
class SequenceResult:
    """One finished sequence.  `files` maps the result files (relative to the folder) to their SHA-256,
    `identity` names everything that decided the boxes."""

    sequence: str
    key: str
    frames: int
    seconds: float
    files: Mapping[str, str]
    identity: Mapping[str, Any] = field(default_factory=dict)
    resumed: bool = False

    def stands_in(self, folder: Path) -> bool:
        """True when its files are in the folder of results, unchanged."""
        return all(sha256_of(folder / file) == sha for file, sha in self.files.items())


def add_to_log(folder: Path, result: SequenceResult) -> None:
    """Add a line to the log of `folder`.  Raises OutputError."""
    record = asdict(result)
    del record["resumed"]
    path = folder / LOG
    with as_output_error(path):
        cut = path.is_file() and not path.read_bytes().endswith(b"\n")  # by a crash: this line stands alone
        with path.open("a", encoding="utf-8") as log:
            log.write("\n" * cut + json.dumps(record) + "\n")


def read_log(folder: Path) -> list[SequenceResult]:
    """The results in the log of `folder`; a line cut by a crash is left out."""
    if not (folder / LOG).is_file():
        return []
    results = []
    for line in (folder / LOG).read_bytes().splitlines():
        try:
            results.append(replace(from_record(SequenceResult, load_json(line)), resumed=True))
        except ValueError:
            continue
    return results


def others_in_words(folder: Path, identity: Mapping[str, object], names: Iterable[str]) -> str:
    """What becomes of the results of other trackers in `folder` when sequences of those `names` are run;
    "" where there are none."""
    now = json.loads(json.dumps(identity))
    standing = {result.sequence: result.identity for result in read_log(folder) if result.stands_in(folder)}
    others = {name: _difference(before, now) for name, before in standing.items() if before != now}
    if not others:
        return ""
    replaced = len(others.keys() & set(names))
    kept = len(others) - replaced
    unlike = list(dict.fromkeys(others.values()))[:SHOWN]
    what = [f"{replaced} replaced"] * bool(replaced) + [f"{kept} kept"] * bool(kept)
    return (
        f"{folder} holds results of another tracker ({'; '.join(unlike)}): {', '.join(what)};"
        " another -o keeps them apart"
    )


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What was different: the model alone where that was another one."""
    if before.get("model") != now.get("model"):
        return f"model {before.get('model')}"
    params, values = before.get("params") or {}, now.get("params") or {}
    facts = ("engine", "version")
    words = [f"{fact} {before.get(fact)}" for fact in facts if before.get(fact) != now.get(fact)]
    words += [f"{name} {value}" for name, value in params.items() if values.get(name, value) != value]
    words += ["other weights"] * (before.get("weights_sha256") != now.get("weights_sha256"))
    return ", ".join(words) or "other parameters"


def sha256_of(path: Path) -> str:
    """The hash of a file; an empty string where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
