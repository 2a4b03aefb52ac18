"""What the records of explain, whatif, tune and watch have in common: ``<command>.json`` in the command's folder."""

from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self

import msgspec

from loaderbench.reports.records.json_files import in_file, read


class CommandRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a command measured: when, by which version, on what machine.

    A change of a record's fields, or of their meaning, raises its class's `SCHEMA`.
    """

    COMMAND: ClassVar[str]
    SCHEMA: ClassVar[int]

    schema: int
    version: str
    """Of loaderbench."""
    started: str
    """In ISO format."""
    command: tuple[str, ...] = ()
    """As it was typed."""
    machine: dict[str, Any] = {}

    @classmethod
    def file_name(cls) -> str:
        """Return the name of the record's file, such as ``explain.json``."""
        return f"{cls.COMMAND}.json"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the record in the folder `path`, or in that file; raises MalformedError in one line."""
        if not path.is_dir():
            return read(path, cls, schema=cls.SCHEMA, what=cls.COMMAND)
        with in_file(cls.file_name()):
            return cls.read(path / cls.file_name())

    @classmethod
    def head(cls, *, started: str, command: tuple[str, ...], machine: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of this class, as the installed version writes them."""
        about = {"started": started, "command": command, "machine": machine}
        return {"schema": cls.SCHEMA, "version": version("loaderbench"), **about}

    def file(self) -> tuple[str, bytes]:
        """Return name and content of the file."""
        return self.file_name(), msgspec.json.format(msgspec.json.encode(self), indent=1)
