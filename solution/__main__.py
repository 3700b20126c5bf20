"""Print what is generated from the schema: `python -m solution data-model` or `python -m solution contract`."""

import sys
from collections.abc import Callable, Mapping

from solution.contract import contract
from solution.guide import data_model

COMMANDS: Mapping[str, tuple[Callable[[], str], str]] = {
    "data-model": (data_model, "the tables for people: keep it in docs/data-model.md"),
    "contract": (contract, "the tables for tests: keep it in solution/contract.json"),
}


def usage() -> str:
    """Return one line per command."""
    lines = [f"  python -m solution {name:<12} {purpose}" for name, (_, purpose) in COMMANDS.items()]
    return "\n".join(["Print what is generated from the Dataverse schema.", "", *lines, ""])


def main(arguments: list[str]) -> int:
    """Print one document; without a known command print the usage and return 2 (0 when it was asked for)."""
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    if len(arguments) == 1 and arguments[0] in COMMANDS:
        sys.stdout.write(COMMANDS[arguments[0]][0]())
        return 0
    asked = arguments in (["-h"], ["--help"], [])
    (sys.stdout if asked else sys.stderr).write(usage())
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
