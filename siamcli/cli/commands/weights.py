"""siamtrack weights: lists, downloads, converts, describes and checks weights."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siamcli.atomic import check_new_file
from siamcli.checkpoints.header import Precision
from siamcli.cli import console
from siamcli.cli.options import AsJson, model_names
from siamcli.cli.outputs import Overwrite
from siamcli.cli.usage import add_command
from siamcli.errors import PartialError, WeightsError
from siamcli.tables import align

if TYPE_CHECKING:
    from siamcli.checkpoints.catalog import Entry

__all__ = ["app"]

app = typer.Typer(name="weights", no_args_is_help=True, help="List, fetch, convert and check weights.")

Name = Annotated[
    str, typer.Argument(help="A name that `siamtrack weights list` shows.", autocompletion=model_names)
]


@add_command(app, "list")
def list_weights(as_json: AsJson = False) -> None:
    """List the weights that are on this machine and those that can be downloaded."""
    rows = _rows()
    if as_json:
        console.print_json({"weights": rows})
        return
    cells = [
        [row["name"], "here" if row["path"] else "-", row["family"], row["license"], _remarks(row)]
        for row in rows
    ]
    for line in align(cells, left=5, widths=(0, 4, 10, 12)):
        console.print_table(f"{line}\n")
    console.info(
        "`siamtrack weights fetch NAME` downloads missing weights; scores are those published.", style="dim"
    )


def _remarks(row: dict[str, Any]) -> str:
    """The roles of a model, its published scores, and the note of the catalog."""
    role = f"--model {row['role']}" if row["role"] else ""
    scores = "; ".join(
        " ".join([benchmark, *(f"{metric} {value}" for metric, value in values.items())])
        for benchmark, values in row["scores"].items()
    )
    return "  ".join(text for text in (role, scores, row["note"]) if text)


@add_command(app, "info")
def info(
    file_or_name: Annotated[
        str,
        typer.Argument(
            help="A weights file, or a name that `siamtrack weights list` shows.", autocompletion=model_names
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Describe weights: architecture, tracker parameters, licence, origin."""
    from siamcli.checkpoints.catalog import catalog
    from siamcli.checkpoints.store import available

    published = [entry for entry in catalog() if entry.name == file_or_name]
    if published and file_or_name not in available():
        document = {**_row(published[0], None), "urls": published[0].urls, "sha256": published[0].sha256}
    else:
        document = _describe(file_or_name)
    if as_json:
        console.print_json(document)
        return
    for key, value in _flat(document):
        console.print_table(f"{key}: {value}\n")


@add_command(app, "path")
def path(name: Name) -> None:
    """Print the path of the weights called NAME on this machine."""
    from siamcli.checkpoints.store import find

    console.print_path(find(name))


@add_command(app, "fetch")
def fetch(name: Name) -> None:
    """Download the weights called NAME into the cache, check them and print their path."""
    from siamcli.checkpoints.catalog import entry_named
    from siamcli.checkpoints.fetch import fetch as fetch_entry
    from siamcli.checkpoints.header import sha256_of
    from siamcli.checkpoints.store import ROLES, available, cache_folder

    here = available().get(ROLES.get(name, name), Path())
    if here.suffix == ".safetensors":
        console.info(f"{name} is already on this machine")
        console.print_path(here)
        return
    entry = entry_named(name)
    records = fetch_entry(entry)
    first = next(records)
    total = None if first.total is None else first.total >> 20
    with console.progress(name, total, "MiB") as update:
        note = ""
        for record in records:
            update(record.done >> 20, record.note)
            if record.note != note:
                console.verbose(record.note)
            note = record.note
    fetched = cache_folder() / entry.file
    if not entry.sha256:
        console.info(f"no checksum was published; the file's SHA-256 is {sha256_of(fetched)}")
    console.info(f"licence: {entry.license}")
    console.print_path(fetched)


@add_command(app, "import")
def import_weights(
    file: Annotated[str, typer.Argument(help="A weights file of PySOT, mmtracking or siamtrack, or a name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write, in siamtrack's format.")],
    precision: Annotated[
        Precision, typer.Option(help="Number format in which convolutions are stored.")
    ] = "float32",
    model: Annotated[
        str | None,
        typer.Option(
            help="The architecture, if it should not be recognized by the names and shapes in the file."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert weights to siamtrack's own format, a file that describes itself."""
    check_new_file(output, overwrite=overwrite)

    from siamcli.checkpoints.native import write_native
    from siamcli.checkpoints.read import read_checkpoint
    from siamcli.checkpoints.store import find

    checkpoint = read_checkpoint(find(file), model)
    write_native(checkpoint, output, precision)
    console.info(f"{checkpoint.name}: {checkpoint.spec.name}, {output.stat().st_size / 1e6:.1f} MB")
    console.print_path(output)


@add_command(app, "verify")
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Default: all weights on this machine.", autocompletion=model_names),
    ] = None,
) -> None:
    """Check that weights are complete, as published, and fit their architecture."""
    from siamcli.checkpoints.store import available, cache_folder

    here = available()
    wanted = dict.fromkeys(names or here)
    failed: dict[str, WeightsError] = {}
    for name in wanted:
        try:
            console.print_table(f"{name}: ok, {_verified(name)}\n")
        except WeightsError as error:
            failed[name] = error
            named = f"{name}: {error}" if name in here and str(here[name]) != name else str(error)
            console.print_table(f"{named}\n")
    if not wanted:
        console.info("no weights on this machine; `siamtrack weights list` shows what can be downloaded")
    if failed:
        kind = WeightsError if len(failed) == len(wanted) else PartialError
        # Only what lies in the cache came from elsewhere; any other file may be the only one of its kind.
        cached = [str(here[name]) for name in failed if name in here and here[name].parent == cache_folder()]
        hint = f"remove {', '.join(cached)}, then fetch or import it again" if cached else None
        first = next(iter(failed.values()))
        said = f"{len(failed)} of {len(wanted)} weights failed the check: {', '.join(failed)}"
        raise kind(said, hint=hint or first.hint)


def _verified(name: str) -> str:
    """What was checked about the weights called `name`.  Raises WeightsError."""
    from siamcli.checkpoints.catalog import catalog
    from siamcli.checkpoints.fetch import hash_fits
    from siamcli.checkpoints.header import sha256_of
    from siamcli.checkpoints.read import read_checkpoint
    from siamcli.checkpoints.store import find

    file = find(name)
    published = [entry for entry in catalog() if entry.name == name and entry.file == file.name]
    for entry in published:
        if not hash_fits(entry, sha256_of(file)):
            raise WeightsError(f"{file} is not the published file: its SHA-256 is another")
        if not entry.model:
            return "the published file" if entry.sha256 else "but nothing to compare with"
    checkpoint = read_checkpoint(file)
    as_published = "as published, " if any(entry.sha256 for entry in published) else ""
    return f"{as_published}{checkpoint.spec.name}, sha256 {checkpoint.sha256[:8]}"


def _rows() -> list[dict[str, Any]]:
    """Everything known about weights, one table per name; names that are not published come first."""
    from siamcli.checkpoints.catalog import catalog
    from siamcli.checkpoints.header import read_header
    from siamcli.checkpoints.store import available, role_of

    here = available()
    published = {entry.name: _row(entry, here.get(entry.name)) for entry in catalog()}
    rows = []
    for name, file in here.items():
        if name in published:
            continue
        row = {
            "name": name,
            "role": role_of(name),
            "path": str(file),
            "family": "siamtrack",
            "model": "",
            "license": "?",
            "scores": {},
        }
        try:
            header = read_header(file)
        except WeightsError as error:
            row["note"] = str(error)
        else:
            row |= {"model": header.spec.name, "license": header.license, "note": f"version {header.version}"}
        rows.append(row)
    return rows + list(published.values())


def _row(entry: Entry, file: Path | None) -> dict[str, Any]:
    return {
        "name": entry.name,
        "role": "",
        "path": None if file is None else str(file),
        "family": entry.family,
        "model": entry.model,
        "license": entry.license,
        "scores": entry.scores,
        "note": entry.note,
    }


def _describe(file_or_name: str) -> dict[str, Any]:
    """Everything that a weights file says about itself."""
    from siamcli.checkpoints.header import read_header
    from siamcli.checkpoints.read import read_checkpoint
    from siamcli.checkpoints.store import find

    file = find(file_or_name)
    checkpoint = read_checkpoint(file)
    precision = "float32"
    with suppress(WeightsError):  # another family's file has no header of ours
        precision = read_header(file).precision
    return {
        "name": checkpoint.name,
        "version": checkpoint.version,
        "license": checkpoint.license,
        "path": str(file),
        "bytes": file.stat().st_size,
        "sha256": checkpoint.sha256,
        "precision": precision,
        "parameters": sum(weight.numel() for weight in checkpoint.weights.values()),
        "spec": asdict(checkpoint.spec),
        "params": asdict(checkpoint.params),
        "provenance": dict(checkpoint.provenance),
    }


def _flat(document: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Nested tables as dotted names."""
    rows: list[tuple[str, Any]] = []
    for key, value in document.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return rows
