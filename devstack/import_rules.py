"""One more kind of import contract: a list of what a module *may* import.

The contracts that import-linter brings name what is forbidden; a pure module is better
described by the little that it needs.
"""

import sys
from fnmatch import fnmatchcase
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Violation = tuple[str, str]


class AllowedImports(Contract):
    """Each source module imports its own package, ``allowed`` and pure parts of Python only.

    ``sources`` and ``allowed`` are names or patterns (``services.*.domain``); a package stands
    for everything beneath it. A pattern that matches nothing yet is no error: the rule waits
    for the module.
    """

    sources = fields.ListField(subfield=fields.StringField())
    allowed = fields.ListField(subfield=fields.StringField())
    impure = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - inherited
        sources = cast("list[str]", self.sources)
        violations = [
            (module, imported)
            for module in sorted(graph.modules)
            if (home := _package_of(module, sources))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if not self._may_import(home, imported)
        ]
        return ContractCheck(kept=not violations, metadata={"violations": violations})

    def render_broken_contract(self, check: ContractCheck) -> None:
        violations: list[Violation] = check.metadata["violations"]
        for module, imported in violations:
            output.print_error(f"{module} imports {imported}, which is not on its list")

    def _may_import(self, home: str, imported: str) -> bool:
        if _package_of(imported, [home, *cast("list[str]", self.allowed)]):
            return True
        root = imported.partition(".")[0]
        return root in sys.stdlib_module_names and root not in cast("list[str]", self.impure)


def _package_of(module: str, patterns: list[str]) -> str | None:
    """The part of ``module``'s name that one of the patterns names, or None."""
    parts = module.split(".")
    for pattern in patterns:
        depth = pattern.count(".") + 1
        name = ".".join(parts[:depth])
        if len(parts) >= depth and fnmatchcase(name, pattern):
            return name
    return None
