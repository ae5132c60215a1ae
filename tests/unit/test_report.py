"""The report and the model card: what a person opens."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from judged import LABELS, evaluation_of, scored

from services.api.kept.cards import read_card
from services.inference.network.network import build_network
from services.inference.network.weights import load_model, save_model
from shared.manifest import InputSpec
from training.card import CardFacts, DataFacts, data_facts, network_size, write_card
from training.datasets.dataset import Dataset, LabelledVideo
from training.datasets.fingerprint import fingerprint
from training.evaluation import Evaluation
from training.memory_use import verdicts
from training.report import write_report
from training.truth import Interval

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def evaluation() -> Evaluation:
    rng, fall = np.random.default_rng(0), Interval("fall", 4, 8)
    scores = rng.uniform(0, 0.4, (160, 2)).astype(np.float32)
    scores[32:64, 0] += 0.6
    videos = [scored(f"{name} $x_1$ [a|b] 門", (fall,), scores) for name in ("one", "two")]
    return replace(evaluation_of(*videos), notes=("`fly` of the data is left out",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    folder = tmp_path / "models" / "given"
    spec = InputSpec(height=48, width=64)
    save_model(folder, build_network({}, 2, 48, 64), labels=LABELS, fps=8.0, input_spec=spec, thresholds={})
    return folder


def pictures(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


def test_a_report_says_it_in_tables_words_and_pictures(evaluation: Evaluation, tmp_path: Path) -> None:
    out = tmp_path / "made" / "out"
    text = write_report(evaluation, out).read_text()
    assert "| `fall` | 1.000 | 1.000 | 1.000 | 1.000 | 0.50 | 0.0 | 2 |" in text
    assert "A recurrent net is needed for `fall`; nothing can be said of `walk`." in text
    assert "- `fly` of the data is left out" in text
    assert "called rightly: **1.000**" in text
    assert pictures(text) == ["curves.png", "strip-1.png", "strip-2.png"]
    assert all((out / name).read_bytes().startswith(PNG) for name in pictures(text))
    assert {path.name for path in out.iterdir()} == {"report.md", "metrics.json", *pictures(text)}


def test_metrics_hold_the_json_line_and_the_other_passes(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert {name: metrics[name] for name in evaluation.as_json()} == evaluation.as_json()
    assert metrics["without_memory"]["events"]["labels"]["fall"]["recall"] == 0
    assert metrics["verdicts"]["fall"]["needs"] == "memory and order"
    assert "events" not in metrics["shuffled"]


def test_a_new_report_leaves_no_picture_of_the_old_one(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path)
    write_report(replace(evaluation, strips=evaluation.strips[:1]), tmp_path)
    assert [path.name for path in tmp_path.glob("strip-*.png")] == ["strip-1.png"]


def test_a_report_of_the_same_results_is_the_same(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path / "a")
    write_report(evaluation, tmp_path / "b")
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_card_tells_a_stranger_what_the_model_is(evaluation: Evaluation, folder: Path) -> None:
    facts = CardFacts(
        purpose="Tells falls from walks.",
        command="afterimage train --data /home/me/falls/annotations.json --out=/tmp/x/models/given --seed 3",
        training_seconds=1500,
        device="2 CPU cores",
        data=(DataFacts("falls.json", 12, 340.0, fingerprint="ab" * 32, licence="CC BY 4.0"),),
        seed=3,
        label_meanings={"fall": "from the loss of balance to the ground"},
        limits=("One person at a time.",),
    )
    text = write_card(folder, facts, evaluation).read_text()
    assert text.startswith("# given\n\nTells falls from walks.\n")
    assert "| `fall` | 0.5 | 0.3 | 0.5 | 1 | from the loss of balance to the ground |" in text
    assert "| falls.json | training | 12 | 340 | `abababababababab` | CC BY 4.0 |" in text
    assert "    afterimage train --data annotations.json --out=given --seed 3\n" in text
    assert "Took 25 minutes on 2 CPU cores, seed 3." in text
    assert "A recurrent net is needed for `fall`" in text
    assert "- One person at a time." in text
    assert str(folder.parent) not in text
    assert "/home/" not in text
    assert all((folder / name).read_bytes().startswith(PNG) for name in pictures(text))
    assert load_model(folder, torch.device("cpu")).manifest.name == "given", "the model still loads"


def test_the_api_reads_the_memory_table_off_the_card(evaluation: Evaluation, folder: Path) -> None:
    write_card(folder, CardFacts("Tells.", "afterimage train", 1, "2 CPU cores", data=()), evaluation)
    card = read_card(folder)
    assert card is not None
    assert [each.label for each in card.memory] == list(evaluation.labels)
    fall, walk = card.memory
    with_memory, alone = evaluation.with_memory, evaluation.without_memory
    assert fall.ap_with_memory == pytest.approx(with_memory.average_precision["fall"], abs=5e-4)
    assert fall.ap_one_frame == pytest.approx(alone.average_precision["fall"], abs=5e-4)
    assert fall.ap_shuffled == pytest.approx(evaluation.shuffled.average_precision["fall"], abs=5e-4)
    assert fall.f1_one_frame == pytest.approx(alone.events["fall"].f1, abs=5e-4)
    assert [(each.needs, each.words) for each in card.memory] == [
        (each.need.value, each.words) for each in verdicts(evaluation)
    ]
    assert walk.ap_with_memory is None, "it does not occur, so nothing is known of it"


def test_the_size_of_a_network_is_counted(folder: Path) -> None:
    model = load_model(folder, torch.device("cpu"))
    size = network_size(model)
    assert size.state_bytes == 4 * model.manifest.state_size
    assert size.parameters == sum(tensor.numel() for tensor in model.network.state_dict().values())
    assert 1e5 < size.flops_per_frame < 1e8


def test_the_facts_of_a_data_set_come_from_its_videos(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a")
    known = LabelledVideo("a.mp4", tmp_path / "a.mp4", (), seconds=3.5)
    dataset = Dataset(("fall",), (known,))
    assert data_facts("falls", dataset) == DataFacts("falls", 1, 3.5, fingerprint=fingerprint(dataset))
    assert data_facts("falls", Dataset(("fall",), (replace(known, seconds=None),))).seconds is None
