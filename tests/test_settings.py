import pytest

from dllm_lsp.settings import EngineSettings, Settings, SuggestSettings, merged


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
    ("tree", "problem"),
    [
        (
            {"suggest": {"confidence": 7}},
            'The setting "suggest.confidence" is 7, but must be a number from 0 to 1; using 0.3.',
        ),
        (
            {"engine": {"threads": True}},
            'The setting "engine.threads" is true, but must be a whole number from 0; using 0.',
        ),
        ({"modle": "x"}, 'The setting "modle" is unknown; there are model, engine, suggest.'),
        (
            {"suggest": 3},
            'The setting "suggest" is 3, but must be an object with '
            "enabled, confidence, milliseconds, effort, snippets, extent.",
        ),
        ([1], "The tree of settings is [1], but must be an object with model, engine, suggest."),
    ],
)
def test_a_bad_setting_is_named_and_its_default_used(tree: object, problem: str) -> None:
    assert merged(Settings(), tree) == (Settings(), [problem])


def test_a_bad_setting_does_not_spoil_its_neighbors() -> None:
    settings, problems = merged(Settings(), {"suggest": {"confidence": "high", "milliseconds": 50}})
    assert settings.suggest.milliseconds == 50.0
    assert len(problems) == 1


def test_a_long_value_is_shortened() -> None:
    _, [problem] = merged(Settings(), {"engine": {"threads": "x" * 1000}})
    assert len(problem) < 200
