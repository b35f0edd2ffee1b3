"""Options that take several values after one name: ``--similarity a.tsv b.tsv c.tsv``.

Click's options take a fixed number of values, and so ``--similarity sets/*.tsv``, which a shell
expands, would be wrong usage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand


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
