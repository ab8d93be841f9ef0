"""Related code of a file's own package for windows and places: ranked as the editor's half does, when it is needed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dllm_lsp.context.snippets import Index, Snippet, cut, names, neighbors
from dllm_lsp.training.files import SourceFile


class Relations:
    """The files of a corpus by package."""

    def __init__(self, files: Sequence[SourceFile]) -> None:
        self._packages: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for file in files:
            if file.package:
                self._packages[file.package][file.path_in_package] = file.text

    def snippets(self, file: SourceFile, shown: Sequence[tuple[int, int]], count: int) -> list[str]:
        """Return up to `count` snippets, best first, that share names with the characters `shown` of a file.

        None of them overlaps the lines from the first to the last character shown. Some tens of milliseconds.
        """
        package = self._packages.get(file.package)
        if not package:
            return []
        paths = sorted(neighbors(file.path_in_package, file.text, package.keys()))
        found: list[Snippet] = [snippet for path in paths for snippet in cut(path, package[path])]
        wanted = frozenset[str]().union(*(names(file.text[start:end]) for start, end in shown))
        first = file.text.count("\n", 0, shown[0][0])
        seen = range(first, first + file.text.count("\n", shown[0][0], shown[-1][1]) + 1)
        index = Index(found)
        return [found[n].text for n in index.related(wanted, file.path_in_package, seen, count)]
