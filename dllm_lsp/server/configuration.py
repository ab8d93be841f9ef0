"""What a client has said of the settings, in one message after the other. Knows the settings in them and no more."""

from __future__ import annotations

from dllm_lsp.settings import Settings
from dllm_lsp.settings_reader import Problem, Values, flat, merged, overlaid

_FOREIGN = ("editorInfo", "editorPluginInfo", "copilotCapabilities", "githubAppId")
"""What Copilot's clients say of themselves where others write settings."""


class Configuration:
    """The client's settings on top of `base`, those of the command line."""

    def __init__(self, base: Settings) -> None:
        self._base = self.settings = base
        self._initial: Values = {}
        self._said: Values = {}
        self._problems: list[Problem] = []

    def begin(self, options: object) -> list[Problem]:
        """Take the options of `initialize`; return what is not understood, as the others do."""
        values = flat(options)
        self._initial = {path: values[path] for path in values if path.partition(".")[0] not in _FOREIGN}
        return self._use(self._initial)

    def change(self, settings: object) -> list[Problem]:
        """Take a change of some settings, among those of others; the rest stays. A null takes back what was said."""
        return self._use(overlaid(self._said, flat(settings, mixed=True)))

    def replace(self, settings: object) -> list[Problem]:
        """Take all of the client's settings as they are now; what is not among them is as in the beginning."""
        return self._use(overlaid(self._initial, flat(settings)))

    def _use(self, said: Values) -> list[Problem]:
        """Return what was not a problem before."""
        known = self._problems
        self._said = said
        self.settings, self._problems = merged(self._base, said)
        return [problem for problem in self._problems if problem not in known]
