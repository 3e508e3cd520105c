"""Declares commands with their options, and explains wrong usage."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from siamcli.cli import console
from siamcli.errors import OutputError

__all__ = [
    "Commands",
    "WrongUsage",
    "add_command",
    "add_empty_values",
    "explain",
    "join_boxes",
    "read_share",
]

_OPTIONAL = ("--blur", "--pixelate", "--spotlight", "--crop")  # options whose value may be left out
_READ_AGAIN = ("render", "fix", "review", "plot")  # commands for a video and its trajectory
_signature = functools.cache(functools.partial(inspect.signature, eval_str=True))  # commands share options
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)%?,?")


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """How much a command prints; every command takes these options."""

    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print only results and errors.", rich_help_panel="Messages"),
    ] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Print more details.", rich_help_panel="Messages")
    ] = False
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            help="Print how long each step takes, and the traceback of an error.",
            rich_help_panel="Messages",
        ),
    ] = False


class WrongUsage(typer.BadParameter):
    """Options that contradict each other; `hint` says what to do instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class _Command(TyperCommand):
    """A command that lists --help among the options for messages, and refuses an empty file name, because an
    empty path would mean the working folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        rest = super().parse_args(ctx, list(args))
        if ctx.resilient_parsing:  # the shell asks how a line may go on
            return rest
        given, _, _ = self.make_parser(ctx).parse_args(list(args))
        paths = getattr(self.callback, "paths", ())
        for param in self.params:
            value = given.get(param.name or "")
            if param.name in paths and "" in (value if isinstance(value, list | tuple) else [value]):
                raise WrongUsage(f"{param.opts[0]}: an empty name", hint="is the shell variable set?")
        return rest

    def get_help_option(self, ctx: Any) -> Any:  # noqa: ANN401 - types that Typer does not export
        option = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = "Messages"
        return option


class Commands(TyperGroup):
    """The group of all commands: also accepts a box of four words, an option without its value, and names
    `run` when a source stands in the place of a command.
    """

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401
        if ctx.resilient_parsing:  # the shell asks how a line may go on
            return super().resolve_command(ctx, args)
        if args[0] not in self.commands and _is_source(args[0]):
            raise WrongUsage(f"no such command {args[0]!r}", hint=f"siamtrack run {shlex.join(args)}")
        name, command, rest = super().resolve_command(ctx, args)
        words = add_empty_values(rest)
        _check_values(words, command)
        return name, command, join_boxes(words)


def _is_source(text: str) -> bool:
    """True for text that can only be a source, such as clip.mp4, 0 or rtsp://host/stream."""
    return text.isdecimal() or "/" in text or bool(Path(text).suffix) or Path(text).exists()


def _check_values(words: Sequence[str], command: Any) -> None:  # noqa: ANN401
    """Raises WrongUsage if an option stands where another option's value belongs."""
    options = [option for option in getattr(command, "params", ()) if option.param_type_name == "option"]
    names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    valued = {name for option in options if not option.is_flag and not option.count for name in option.opts}
    for word, following in pairwise(words):
        if word == "--":
            return
        if word in valued and following in names:
            raise WrongUsage(
                f"{word} needs a value before {following}", hint=f"siamtrack {command.name} --help"
            )


def add_empty_values(words: Sequence[str]) -> list[str]:
    """The words of a command line, with an empty value after an option that may be without one.

    >>> add_empty_values(["--blur", "--pixelate", "bug", "--spotlight"])
    ['--blur', '', '--pixelate', 'bug', '--spotlight', '']
    """
    full: list[str] = []
    for place, word in enumerate(words, start=1):
        alone = place == len(words) or words[place].startswith("-")
        full += [word, ""] if word in _OPTIONAL and alone else [word]
    return full


def join_boxes(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the four numbers of a box as one word.

    >>> join_boxes(["clip.mp4", "--box", "ball=43", "150", "73", "79", "-y"])
    ['clip.mp4', '--box', 'ball=43,150,73,79', '-y']

    Raises WrongUsage for two or three numbers.
    """
    joined: list[str] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        joined.append(word)
        if word not in ("--box", "--box-at") or not rest:
            continue
        numbers = [rest[0].rpartition("=")[2], *rest[1:4]]
        count = len(list(takewhile(_NUMBER.fullmatch, numbers)))
        if count == 4:
            joined.append(",".join(number.rstrip(",") for number in rest[:4]))
            del rest[:4]
        elif count > 1:
            given = " ".join([word, *rest[:count]])
            raise WrongUsage(
                f"not a box: {given}", hint=f"write four numbers, for example {word} 10,20,30,40"
            )
    return joined


def _require_working_folder() -> None:
    """Raises OutputError if the working folder was removed: relative paths have no meaning then, and torch
    cannot be loaded.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise OutputError("the working folder is gone", hint="change into one that is there") from None


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Turn each dataclass parameter of `command` into the options that are its fields, and add those of
    MessageOptions.

    Typer has no way to declare a group of options.  The attribute `paths` has the names of options that are
    paths.
    """
    own, messages = _signature(command), _signature(MessageOptions).parameters
    kinds = {
        p.name: p.annotation
        for p in own.parameters.values()
        if inspect.isclass(p.annotation) and is_dataclass(p.annotation)
    }
    bundles = {name: _signature(kind).parameters for name, kind in kinds.items()}

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        console.set_level(**{name: given.pop(name) for name in messages})
        _require_working_folder()
        for bundle, members in bundles.items():
            given[bundle] = kinds[bundle](**{name: given.pop(name) for name in members})
        command(**given)

    parameters: list[inspect.Parameter] = []
    for parameter in own.parameters.values():
        parameters += bundles[parameter.name].values() if parameter.name in bundles else [parameter]
    keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in [*parameters, *messages.values()]]
    wrapper.__signature__ = own.replace(parameters=keyword)  # type: ignore[attr-defined]
    wrapper.paths = {p.name for p in keyword if _holds_path(p.annotation)}  # type: ignore[attr-defined]
    return wrapper


def _holds_path(kind: object) -> bool:
    return kind is Path or any(map(_holds_path, get_args(kind)))


def add_command(
    app: typer.Typer, name: str, panel: str | None = None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that makes a function the command `name` of `app`, in a panel of its help.

    The docstring is the help; what stands below "Examples:" in it comes after the options.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        text, _, examples = inspect.cleandoc(function.__doc__ or "").partition("\n\nExamples:\n")
        text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)  # the terminal's width, not the source's, breaks lines
        epilog = f"Examples:\n\n{inspect.cleandoc(examples)}" if examples else None
        declare = app.command(name, cls=_Command, help=text, epilog=epilog, rich_help_panel=panel)
        declare(_with_options(function))
        return function

    return register


def read_share(option: str, text: str, below: float = 100) -> float:
    """A share from 0 to less than `below`, written in percent; raises typer.BadParameter.

    >>> read_share("--grow", "12.5 %")
    0.125
    """
    match = re.fullmatch(r"(\d{1,4}(?:\.\d*)?)\s*%", text.strip())
    if match is None or (share := float(match[1]) / 100) >= below:
        raise typer.BadParameter(f"{option} takes a percentage such as 20%, not {text!r}")
    return share


def explain(error: typer.TyperException) -> tuple[str, str]:
    """Message and hint for wrong usage, in the form of SiamtrackError."""
    message = error.format_message().removeprefix("Invalid value: ").replace(": Value error, ", ": ")
    message = " ".join(message.split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "siamtrack"
    hint = getattr(error, "hint", None) or f"`{command} --help` shows what there is"
    if command.split()[-1] in _READ_AGAIN and re.search(r"extra argument|option: --join", message):
        hint = "of joined videos name the first one and the trajectory, which knows the others"
    return message[:1].lower() + message[1:], hint
