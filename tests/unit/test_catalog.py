import gc
import threading
import weakref
from pathlib import Path

import pytest
import torch
from patience import TOOL_SECONDS, eventually
from worker_runner import save_random_model, spec_of

from services.inference.models import catalog as catalog_module
from services.inference.models.catalog import Catalog
from services.inference.models.choices import Choices
from services.inference.network.weights import LoadedModel, load_model
from shared.errors import ModelUnusable

CPU = torch.device("cpu")


@pytest.fixture
def may_load(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, loading takes long."""
    event = threading.Event()

    def once_it_may(folder: Path, device: torch.device) -> LoadedModel:
        assert event.wait(TOOL_SECONDS)
        return load_model(folder, device)

    monkeypatch.setattr(catalog_module, "load_model", once_it_may)
    return event


def test_finding_never_waits_and_gives_what_the_folder_holds_now(tmp_path: Path, may_load: threading.Event) -> None:
    save_random_model(tmp_path)
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    assert catalog.find("tiny") is None
    may_load.set()
    first = eventually(lambda: catalog.find("tiny"), "the model")
    assert catalog.find("tiny") is catalog.runner("tiny") is first
    may_load.clear()
    reference = save_random_model(tmp_path, seed=1)
    assert catalog.find("tiny") is None
    may_load.set()
    assert catalog.runner("tiny").manifest.reference == reference != first.manifest.reference


def test_a_version_that_comes_back_is_loaded_anew_only_if_nobody_holds_it(tmp_path: Path) -> None:
    save_random_model(tmp_path)
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    first = catalog.runner("tiny")
    save_random_model(tmp_path, seed=1)
    second = weakref.ref(catalog.runner("tiny"))
    save_random_model(tmp_path)
    assert catalog.runner("tiny") is first
    gc.collect()
    assert second() is None


def test_names_that_nobody_asks_for_are_let_go(tmp_path: Path) -> None:
    save_random_model(tmp_path)
    save_random_model(tmp_path, "other")
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    tiny, other = (weakref.ref(catalog.runner(name)) for name in ("tiny", "other"))
    catalog.keep_only({"other"})
    gc.collect()
    assert tiny() is None
    assert catalog.find("other") is other()


def test_a_refusal_stands_until_the_folder_changes_and_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    for _ in range(3):
        with pytest.raises(ModelUnusable, match="no such file"):
            catalog.runner("tiny")
    monkeypatch.setattr(catalog_module, "RETRY_SECONDS", 0)
    for _ in range(3):
        with pytest.raises(ModelUnusable, match="no such file"):
            catalog.runner("tiny")
    assert len(caplog.records) == 1
    monkeypatch.setattr(catalog_module, "RETRY_SECONDS", 3600)
    with pytest.raises(ModelUnusable):
        catalog.runner("tiny")
    reference = save_random_model(tmp_path)
    assert catalog.runner("tiny").manifest.reference == reference


def test_a_model_that_does_not_run_on_the_device_is_refused_with_the_reason(tmp_path: Path) -> None:
    save_random_model(tmp_path)
    catalog = Catalog(tmp_path, torch.device("cuda:99"), warm_up_size=1)
    with pytest.raises(ModelUnusable, match="tiny: does not run here: "):
        catalog.runner("tiny")


def test_a_stream_keeps_its_choice_until_it_asks_again(tmp_path: Path) -> None:
    save_random_model(tmp_path)
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    choices, spec = Choices(catalog), spec_of("cam")
    old = catalog.runner("tiny")
    assert choices.runner_for(spec) is old
    save_random_model(tmp_path, seed=1)
    new = catalog.runner("tiny")
    assert choices.runner_for(spec) is old
    assert choices.runner_for(spec_of("cam", model_asks=1)) is new
    assert choices.runner_for(spec_of("other")) is new
    assert choices.runners() == {new}
    choices.keep_only({})
    assert choices.runners() == set()
    assert catalog.find("tiny") is new


def test_a_stream_stays_on_its_model_while_another_loads_or_is_refused(
    tmp_path: Path, may_load: threading.Event
) -> None:
    may_load.set()
    save_random_model(tmp_path)
    catalog = Catalog(tmp_path, CPU, warm_up_size=1)
    choices, old = Choices(catalog), catalog.runner("tiny")
    assert choices.runner_for(spec_of("cam")) is old
    with pytest.raises(ModelUnusable):
        catalog.runner("missing")
    assert choices.runner_for(spec_of("cam", model="missing")) is old
    assert "no such file" in (choices.problem("cam") or "")
    may_load.clear()
    save_random_model(tmp_path, "other")
    loading = spec_of("cam", model="other")
    assert choices.runner_for(loading) is old
    assert choices.runner_for(spec_of("cam", model="missing", generation=2)) is None
    may_load.set()
    new = catalog.runner("other")
    assert choices.runner_for(loading) is new
    assert choices.problem("cam") is None
