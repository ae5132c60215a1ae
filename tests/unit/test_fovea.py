import pytest
import torch

from services.inference.network.config import NetworkConfig
from services.inference.network.network import build_network
from services.inference.network.senses.comparison import num_pictures, stretched
from services.inference.network.senses.fovea import SIDE, Fovea, gaze, window
from services.inference.network.senses.likeness import optical_flow, window_means

HEIGHT, WIDTH = 48, 64


def moved(x: int, y: int, side: int = 8) -> torch.Tensor:
    """The change [1, h, w] where a bright square at (x, y) appears."""
    picture = torch.zeros(1, HEIGHT, WIDTH)
    picture[:, y : y + side, x : x + side] = 0.5
    return stretched(picture)


@pytest.mark.parametrize(("x", "y"), [(4, 4), (28, 20), (50, 36)])
def test_it_looks_where_it_moves(x: int, y: int) -> None:
    change = moved(x, y)
    places = gaze(change)
    assert float(places[0, 0]) == pytest.approx((2 * (x + 4) - WIDTH) / WIDTH, abs=0.03)
    assert float(places[0, 1]) == pytest.approx((2 * (y + 4) - HEIGHT) / WIDTH, abs=0.03)
    seen = window(change.unsqueeze(1), places)
    assert seen.shape == (1, 1, SIDE, SIDE)
    middle = SIDE // 2
    assert float(seen[0, 0, middle - 2 : middle + 2, middle - 2 : middle + 2].mean()) > 1


def test_the_window_is_as_wide_as_what_moves() -> None:
    reaches = [float(gaze(moved(10, 4, side))[0, 2]) for side in (8, 16, 32)]
    assert reaches == sorted(reaches)
    assert reaches[2] > 2.5 * reaches[0]
    # the same body, twice as large and elsewhere, fills the window alike
    small, large = (window(change.unsqueeze(1), gaze(change)) for change in (moved(5, 30, 12), moved(30, 10, 24)))
    assert float((small - large).abs().mean()) < 0.1 * float(large.abs().mean())


def test_it_rests_on_the_whole_picture_while_nothing_moves() -> None:
    still = gaze(stretched(0.003 * torch.randn(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))))
    assert torch.equal(still, torch.tensor([[0.0, 0.0, 1.0]]).expand(3, -1))


def test_features_follow_the_shape_and_not_the_place() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(thumb_pool=2, fovea=True)
    fovea = Fovea(config, num_pictures(config)).eval()
    bar = moved(28, 8)
    bar[:, 16:40, 30:34] = bar.max()
    with torch.no_grad():
        there, here, other = (fovea(x.expand(4, -1, -1).unsqueeze(0), x) for x in (moved(12, 12), moved(44, 28), bar))
    assert there.shape == (1, config.change + 3)
    seen, elsewhere, different = (features[:, :-3] for features in (there, here, other))
    assert float((seen - elsewhere).norm()) < 0.1 * float(seen.norm()) < 0.3 * float((seen - different).norm())
    assert float((there - here)[:, -3:].abs().amax()) > 0.5


def test_a_network_with_it_steps_as_it_unrolls() -> None:
    torch.manual_seed(0)
    network = build_network({"thumb_pool": 2, "flow": True, "fovea": True, "normed": True}, 3, 96, 128).eval()
    images, dt = torch.randint(256, (5, 3, 96, 128), dtype=torch.uint8), torch.full((1, 5), 0.1)
    with torch.no_grad():
        features = network.encode(images).unsqueeze(0)
        state = torch.zeros(1, network.state_size)
        together, last = network.steps(features, dt, state)
        for index in range(5):
            logits, state = network.step(features[:, index], dt[:, index], state)
            assert torch.allclose(logits, together[:, index], atol=1e-4)
    assert torch.allclose(state, last, atol=1e-5)


def test_window_means_are_those_of_pooling() -> None:
    pictures = torch.rand(2, 3, 21, 34, generator=torch.Generator().manual_seed(0))
    pooled = torch.nn.functional.avg_pool2d(pictures, 5, stride=1, padding=2, count_include_pad=False)
    assert torch.allclose(window_means(pictures), pooled, atol=1e-6)
    assert optical_flow(pictures[:, :1], pictures[:, 1:2]).shape == (2, 2, 21, 34)
