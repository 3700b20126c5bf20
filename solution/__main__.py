"""Print or build what is generated from the schema: `python -m solution`."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module

from solution.contract import contract
from solution.guide import data_model

COMMANDS: Mapping[str, tuple[Callable[[], str], str]] = {
    "data-model": (data_model, "the tables for people: keep it in docs/data-model.md"),
    "contract": (contract, "the tables for tests: keep it in solution/contract.json"),
}

# fmt: off
TOOLS: Mapping[str, tuple[str, str]] = {
    # command     module, and its function if not main   purpose
    "build":     ("solution.build",                      "write the solution zips into dist/"),
    "pictures":  ("solution.pictures",                   "render the forms into docs/pictures/ (needs Chromium)"),
    "install":   ("solution.install.command:install",    "install the solution in a Dynamics 365 environment"),
    "check":     ("solution.install.command:check",      "compare an environment with the solution; change nothing"),
    "upgrade":   ("solution.install.command:upgrade",    "bring an older version up to this one"),
    "uninstall": ("solution.install.command:uninstall",  "take the solution out, after saying what would be lost"),
}
# fmt: on


def usage() -> str:
    """Return one line per command."""
    printed = [f"  python -m solution {name:<12} {purpose}" for name, (_, purpose) in COMMANDS.items()]
    run = [f"  python -m solution {name:<12} {purpose}" for name, (_, purpose) in TOOLS.items()]
    return "\n".join(["Print what is generated from the Dataverse schema:", "", *printed, "", "Or run:", "", *run, ""])


def main(arguments: list[str]) -> int:
    """Print one document or run one tool; without a known command print the usage and return 2 (0 when it was asked for)."""
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    if len(arguments) == 1 and arguments[0] in COMMANDS:
        sys.stdout.write(COMMANDS[arguments[0]][0]())
        return 0
    if arguments and arguments[0] in TOOLS:
        module, _, function = TOOLS[arguments[0]][0].partition(":")
        code: int = getattr(import_module(module), function or "main")(arguments[1:])
        return code
    asked = arguments in (["-h"], ["--help"], [])
    (sys.stdout if asked else sys.stderr).write(usage())
    return 0 if asked else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
