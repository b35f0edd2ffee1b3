"""Options of commands: those made from a table of settings, and those that take several values."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from operator import getitem
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from typer.core import TyperCommand

from wordgrad.errors import InputError
from wordgrad.storage import is_url, path_of
from wordgrad.training.config import Setting

OVERWRITE = typer.Option("--overwrite", help="Replace the output if it exists.")
JSON_OUTPUT = typer.Option(
    "--json", metavar="OUT", help="Write the results as JSON to this file; '-' prints them."
)

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}

Command = TypeVar("Command", bound=Callable[..., None])


def takes(settings: Iterable[Setting]) -> Callable[[Command], Command]:
    """Give a command an option for each setting, in place of its ``**settings``.

    Typer reads a command's signature, and this writes it.  The options come before the command's
    own keyword-only ones.

    Examples
    --------
    >>> from wordgrad.training.config import SETTINGS
    >>> @takes([SETTINGS["window"]])
    ... def command(output: str, **settings: object) -> None:
    ...     print(settings)
    >>> command("file", window=3)
    {'window': 3}
    >>> {name: option.default for name, option in inspect.signature(command).parameters.items()}
    {'output': <class 'inspect._empty'>, 'window': 5}
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        parameters = [
            *(one for one in own if one.kind is not one.KEYWORD_ONLY),
            *map(_option, settings),
            *(one for one in own if one.kind is one.KEYWORD_ONLY),
        ]
        parameters = [one.replace(kind=one.POSITIONAL_OR_KEYWORD) for one in parameters]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return decorate


def _option(setting: Setting) -> inspect.Parameter:
    kind: Any = getitem(Literal, setting.choices) if setting.choices else setting.kind
    if kind is tuple:
        kind = tuple[int, int]
    help_ = setting.help
    if setting.range:
        help_ += f" Range: {setting.range}."
    if setting.default_text:
        help_ += f" Default: {setting.default_text}."
    # A flag that is off has no --no-flag beside it: leaving it out says the same.
    written = [setting.option] if setting.option else []
    if setting.default is False:
        written = [f"--{setting.name.replace('_', '-')}"]
    option = typer.Option(
        *written,
        help=help_,
        rich_help_panel=setting.panel,
        metavar=setting.metavar or (f"{setting.word}|FLOAT" if setting.word else None),
        show_default=setting.default is not None and not setting.default_text,
        parser=_parser(setting),
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=setting.default,
        annotation=Annotated[kind if setting.default is not None else kind | None, option],
    )


def _parser(setting: Setting) -> Callable[[str], Any] | None:
    """What reads a value that is no plain number or word."""
    if setting.metavar == "TIME":
        return seconds
    if setting.kind is Path:
        return path_or_url
    return number_or(setting.word) if setting.word else None


def number_or(word: str) -> Callable[[str], float | str]:
    """Return what reads a number, or a word that may stand in its place.

    >>> number_or("auto")("1e-3"), number_or("auto")("auto")
    (0.001, 'auto')
    """

    def read(text: str) -> float | str:
        try:
            return text if text == word else float(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is neither a number nor {word}.") from None

    return read


def seconds(text: str | float) -> float:
    """Read a span of time.

    >>> seconds("60"), seconds("90s"), seconds("5m"), seconds("1.5 h")
    (60.0, 90.0, 300.0, 5400.0)
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(s|m|min|h|)\s*", str(text), re.ASCII)
    if match is None:
        raise typer.BadParameter(
            f"{text!r} is not a span of time; write seconds, minutes or hours, as in 60s, 5m or 1h."
        )
    return float(match[1]) * _UNITS[match[2]]


def path_given(text: str | Path) -> Path:
    """Read a path or a URL.

    >>> path_given("a.txt")
    PosixPath('a.txt')
    """
    try:
        return path_of(text)
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def path_or_url(text: str) -> str | Path:
    """What a setting takes: a URL stays as it was written."""
    return text if is_url(text) else Path(text)


def source_of(inputs: Sequence[str]) -> Any:
    """What the readers of text take: paths and URLs, never sentences, however the inputs look.

    A single input stays a string, for it may be a glob.

    >>> source_of(["*.txt"]), source_of(["-", "a b"])
    ('*.txt', ['-', PosixPath('a b')])
    """
    if len(inputs) == 1:
        return inputs[0]
    return [one if one == "-" else path_of(one) for one in inputs]


def repeat_option_names(
    args: Sequence[str], names: Sequence[str], valued: Sequence[str]
) -> list[str]:
    """Put the option's name before each of its values.

    A command's arguments (its FILEs) come before such options.  If all bare words follow one, the
    last of them is the argument.

    Parameters
    ----------
    args : sequence of str
    names : sequence of str
        Options that take several values.
    valued : sequence of str
        Other options that take one value, which is no argument of the command.

    Examples
    --------
    >>> repeat_option_names(["v", "--set", "a", "b", "--n", "3"], ["--set"], ["--n"])
    ['v', '--set', 'a', '--set', 'b', '--n', '3']
    >>> repeat_option_names(["--set", "a", "b", "v"], ["--set"], [])
    ['--set', 'a', '--set', 'b', 'v']
    """
    result: list[str] = []
    current: str | None = None  # the option whose values are being read
    taken = 0  # its values so far
    argument_seen, last_extra = False, None
    for place, arg in enumerate(args):
        previous = args[place - 1] if place else ""
        if arg == "--":
            return [*result, *args[place:]]
        if arg.startswith("-") and arg != "-":
            current, taken = (arg if arg in names else None), 0
        elif current is not None:
            taken += 1
            if taken > 1:
                last_extra = len(result)
                result.append(current)
        elif previous not in valued:
            argument_seen = True
        result.append(arg)
    if not argument_seen and last_extra is not None:
        del result[last_extra]
    return result


class ListOptions(TyperCommand):
    """A command whose options with several values may be given them in one go."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the options' names, then parse as usual."""
        options = [parameter for parameter in self.params if parameter.param_type_name == "option"]
        several = [name for option in options if option.multiple for name in option.opts]
        valued = [
            name
            for option in options
            if not option.multiple and not getattr(option, "is_flag", False)
            for name in option.opts
        ]
        return super().parse_args(ctx, repeat_option_names(args, several, valued))
