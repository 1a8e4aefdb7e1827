"""Commands that are imported when somebody wants them: each pays for its own modules only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module

import click


class Shelf(MutableMapping[str, click.Command]):
    """Commands by name, in the order given. Whoever takes one has its module imported; whoever lists names has none."""

    def __init__(self, modules: Mapping[str, str]) -> None:
        """`modules` tells for each command in which module of this package it is, under its own name."""
        self._modules = dict(modules)
        self._commands: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._commands:
            command = getattr(import_module(f"guyverd.cli.{self._modules[name]}"), name)
            assert isinstance(command, click.Command)
            self._commands[name] = command
        return self._commands[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._modules.setdefault(name, "")
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._modules[name]
        self._commands.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)
