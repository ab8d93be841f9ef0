import pytest

from dllm_lsp.settings import EngineSettings, Settings, SuggestSettings
from dllm_lsp.settings_reader import flat, merged, overlaid


def test_a_tree_sets_what_it_names_and_keeps_the_rest() -> None:
    base = Settings(model="/models/mine", suggest=SuggestSettings(confidence=0.5))
    settings, problems = merged(base, {"engine": {"threads": 2, "linger": 1}, "suggest": {"enabled": False}})
    assert problems == []
    assert settings.model == "/models/mine"
    assert settings.engine == EngineSettings(threads=2, linger=1.0)
    assert settings.suggest == SuggestSettings(confidence=0.5, enabled=False)


def test_null_sets_nothing() -> None:
    assert merged(Settings(), {"model": None, "suggest": None}) == (Settings(), [])


@pytest.mark.parametrize(
    "tree",
    [
        {"suggest": {"confidence": 0.1}},
        {"suggest.confidence": 0.1},
        {"dllm-lsp": {"suggest": {"confidence": 0.1}}},
        {"dllm-lsp": {"suggest.confidence": 0.1}},
        {"dllm-lsp.suggest": {"confidence": 0.1}},
        {"dllm-lsp.suggest.confidence": 0.1},
    ],
)
def test_a_setting_is_named_by_its_path_however_that_is_written(tree: object) -> None:
    assert merged(Settings(), tree) == (Settings(suggest=SuggestSettings(confidence=0.1)), [])


@pytest.mark.parametrize(
    ("tree", "problem"),
    [
        (
            {"suggest": {"confidence": 7}},
            'The setting "suggest.confidence" is 7, but must be a number from 0 to 1; using 0.3.',
        ),
        (
            {"engine.threads": True},
            'The setting "engine.threads" is true, but must be a whole number from 0 to 1024; using 0.',
        ),
        ({"modle": "x"}, 'The setting "modle", here "x", is unknown; there are '),
        (
            {"dllm-lsp": {"suggest.mood": 1}},
            'The setting "suggest.mood", here 1, is unknown; there are enabled, ',
        ),
        (
            {"suggest": {"confidence": {"least": 1}}},
            'The setting "suggest.confidence.least", here 1, is unknown; "suggest.confidence" must be a number from '
            "0 to 1.",
        ),
        ({"suggest": 3}, 'The setting "suggest" is 3, but must be an object with enabled, automatic, '),
        ([1], "The tree of settings is [1], but must be an object with model, engine, "),
        ({"dllm-lsp": 1}, "The tree of settings is 1, but must be an object with model, engine, "),
        (
            {"suggest": {"effort": "\ud83d"}},
            'The setting "suggest.effort" is "\\ud83d", but must be "instant", "low", ',
        ),
        ({"\ud83d": 1}, 'The setting "\\ud83d", here 1, is unknown; there are '),
        (
            {"languages": {"go": {"confidence": 7}}},
            'The setting "languages.go.confidence" is 7, but must be a number ',
        ),
        (
            {"languages": {"go": {"mood": 1}}},
            'The setting "languages.go.mood", here 1, is unknown; there ',
        ),
        ({"languages": {"go": 3}}, 'The setting "languages.go" is 3, but must be an object with enabled, '),
        (
            {"languages.go.ignored": False},
            'The setting "languages.go.ignored" is the same for all languages: set ',
        ),
        ({"model": "a\ud83d"}, 'The setting "model" is "a\\ud83d", but must be "auto", '),
        (
            {"engine": {"linger": float("inf")}},
            'The setting "engine.linger" is Infinity, but must be a number ',
        ),
        (
            {"suggest": {"confidence": float("nan")}},
            'The setting "suggest.confidence" is NaN, but must be a ',
        ),
        ({"engine": {"threads": 10**30}}, 'The setting "engine.threads" is 10000'),
    ],
)
def test_what_is_not_understood_is_named_and_the_default_used(tree: object, problem: str) -> None:
    settings, problems = merged(Settings(), tree)
    assert settings == Settings()
    [said] = map(str, problems)
    assert said.startswith(problem)
    said.encode()


def test_a_language_may_have_other_values() -> None:
    said = {
        "languages": {"go": {"confidence": 0.5}},
        "suggest.confidence": 0.1,
        "languages.go.enabled": False,
    }
    settings, problems = merged(Settings(), said)
    assert problems == []
    assert settings.suggest_in("python") == settings.suggest == SuggestSettings(confidence=0.1)
    assert settings.suggest_in("go") == SuggestSettings(confidence=0.5, enabled=False)
    changed, _ = merged(settings, {"suggest.strings": False, "languages.go.enabled": True})
    assert changed.suggest_in("go") == SuggestSettings(confidence=0.5, strings=False)


def test_names_of_others_are_left_out_of_a_mixed_tree() -> None:
    tree = {"python": {"suggest": 3}, "suggest": {"mood": 1}, "dllm-lsp": {"modle": "x"}, "engine.threads": 2}
    assert flat(tree, mixed=True) == {"suggest.mood": 1, "modle": "x", "engine.threads": 2}


def test_a_tree_may_be_as_deep_as_json_allows() -> None:
    tree: object = 1
    for _ in range(20_000):
        tree = {"a": tree}
    assert len(merged(Settings(), tree)[1]) == 1


def test_what_is_said_later_counts_and_a_null_takes_it_back() -> None:
    below = {"suggest.confidence": 0.1, "suggest.enabled": False, "model": "mine"}
    assert overlaid(below, {"suggest.confidence": 0.2}) == below | {"suggest.confidence": 0.2}
    assert overlaid(below, {"suggest": None}) == {"model": "mine"}
    assert overlaid(below, {"suggest.confidence.x": None, "mod": None}) == below


def test_a_bad_setting_does_not_spoil_its_neighbors() -> None:
    settings, problems = merged(Settings(), {"suggest": {"confidence": "high", "milliseconds": 50}})
    assert settings.suggest.milliseconds == 50.0
    assert len(problems) == 1


def test_a_long_value_is_shortened() -> None:
    _, [problem] = merged(Settings(), {"engine": {"threads": "x" * 1000}})
    assert len(str(problem)) < 200
