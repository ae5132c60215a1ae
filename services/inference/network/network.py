"""The network: a CNN that sees one frame and an LSTM that remembers a stream."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.config import BUILTIN, LITE, TIMM, NetworkConfig
from services.inference.network.looks.backbones import BuiltinLook, TrunkLook, initialise, normalise
from services.inference.network.looks.lite_trunk import lite_weights, open_lite
from services.inference.network.looks.timm_trunk import open_trunk, pretrained_weights
from services.inference.network.senses.comparison import Comparison
from services.inference.network.senses.figures import FullSize, Marks
from services.inference.network.senses.histograms import Histograms
from services.inference.network.senses.sense import LEVELS, LUMA, TILE, Sense, Sight, Time, tile_sums
from shared.entries import MAX_FIGURES, NUM_TOLD
from shared.errors import ModelUnusable
from shared.words.validation import first_problem

LONGEST_DT_SECONDS = 60.0
"""Longer gaps count as this long."""
LARGEST_INPUT = 6.0
"""Standard deviations; what lies further out counts as this far."""
USUAL_LIGHT, USUAL_CONTRAST = 0.43, 0.23
"""Mean and standard deviation of an evened picture's grey levels."""
TRACE = 0.1
"""Share of its own light that is left, so that a lamp which goes on can still be told."""
LARGEST_GAIN = 12.0


class Network(nn.Module):
    """Scores each frame of a stream from its look and from the memory of the frames before it.

    `encode` knows no time, so that all frames of a batch go through it at once; `step` goes on by one frame. What it
    sees are a look (a CNN's) and senses with memories: each there is only where the config asks for it, and so are
    its parts of features and state. The state is the LSTM's cells, the senses' memories, the age of the stream and
    whether it has begun.
    """

    luma: Tensor
    spans: Tensor
    """Seconds that the senses' running means go over: the slow ones and the fast ones."""

    def __init__(self, config: NetworkConfig, num_labels: int, height: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.num_labels = num_labels
        self.register_buffer("luma", torch.tensor(LUMA), persistent=False)
        self.register_buffer("spans", torch.tensor((config.slow_seconds, config.fast_seconds)), persistent=False)
        tiles = (height // TILE) * (width // TILE)
        self.look = _look(config, (height, width), tiles) if config.appearance else None
        self.comparison = Comparison(config, height, width, tiles) if config.change else None
        self.histograms = Histograms(config, height, width) if config.histograms else None
        self.full_size = FullSize() if config.figures else None
        self.marks = Marks() if config.damage else None
        num_plain = sum(sense.num_inputs for sense in self._plain_senses)
        self.digest = Digest(num_plain, config) if num_plain else None
        self.feature_sizes = [
            self.look.num_features if self.look else 0,
            *(sum(sense.glance_sizes) for sense in self._senses),
        ]
        memory_sizes = [sum(sense.memory_sizes) for sense in self._senses]
        self._state_sizes = [config.hidden, config.hidden, *memory_sizes, 1, 1]
        self.feature_size, self.state_size = sum(self.feature_sizes), sum(self._state_sizes)
        num_inputs = config.appearance + (config.dense if num_plain else 0)
        num_inputs += self.comparison.num_inputs if self.comparison else 0
        self.dropout = nn.Dropout(config.dropout)
        self.norm = nn.LayerNorm(num_inputs) if config.normed else nn.Identity()
        self.lstm = nn.LSTMCell(num_inputs, config.hidden)
        self.head = nn.Linear(config.hidden + num_inputs, num_labels)

    @property
    def features_are_fixed(self) -> bool:
        """Whether no weight that training moves acts in `encode`."""
        return self.look is None or (isinstance(self.look, TrunkLook) and self.look.fixed)

    def reckon_looks_in(self, dtype: torch.dtype) -> None:
        """Casts the look, once and for good, to serve in less precision; senses and memories stay float32."""
        if self.look:
            self.look.reckon_in(dtype)

    @property
    def _plain_senses(self) -> list[Sense]:
        return [sense for sense in (self.histograms, self.full_size, self.marks) if sense is not None]

    @property
    def _senses(self) -> list[Sense]:
        return [*([self.comparison] if self.comparison else []), *self._plain_senses]

    def encode(self, images: Tensor, told: Tensor | None = None) -> Tensor:
        """Features [B, feature_size], float32, of RGB images [B, 3, H, W], uint8; rows are independent.

        `told` [B, 17] is what `shared.entries.told` gives for each; of frames without it nothing was measured, and none
        is damaged.
        """
        images = _evened(images, self.luma) if self.config.evened else images
        parts = [self.look(normalise(images)).float()] if self.look else []
        with torch.autocast(images.device.type, enabled=False):
            if self._senses:
                sight = Sight(*_planes(images), *_facts(told, images))
                parts += [sense.glance(sight) for sense in self._senses]
        return torch.cat(parts, dim=1)

    def step(self, features: Tensor, dt_seconds: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Goes on by one frame in each of S streams.

        Args: features [S, feature_size] of `encode`; dt_seconds [S] since the stream's previous frame (of no effect
        where there is none); state [S, state_size], float32, zeros for a stream that starts.
        Returns: logits [S, num_labels] and the next state [S, state_size], both float32.
        """
        logits, state = self.steps(features.unsqueeze(1), dt_seconds.unsqueeze(1), state)
        return logits.squeeze(1), state

    def steps(self, features: Tensor, dt_seconds: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Goes on by T frames in each of S streams: what T calls of `step` give, in fewer operations.

        Args and returns as `step`, with T as a second dimension of features, dt_seconds and logits.
        """
        with torch.autocast(features.device.type, enabled=False):
            hidden, cell, *memories, age, seen = torch.split(state, self._state_sizes, dim=1)
            time = self._time(dt_seconds.float(), age, seen)
            inputs, memories = self._inputs(features.float(), memories, time)
            inputs = self.norm(inputs)
            hiddens = []
            for frame in self.dropout(inputs).unbind(1):
                hidden, cell = self.lstm(frame, (hidden, cell))
                hiddens.append(hidden)
            logits = self.head(self.dropout(torch.cat((torch.stack(hiddens, dim=1), inputs), dim=2)))
            return logits, torch.cat((hidden, cell, *memories, time.age[:, -1], torch.ones_like(seen)), dim=1)

    def _time(self, dt_seconds: Tensor, age: Tensor, seen: Tensor) -> Time:
        dt = dt_seconds.clamp(0, LONGEST_DT_SECONDS).unsqueeze(2)
        seens = torch.ones_like(dt)
        seens[:, 0] = seen
        dt = dt * seens
        passed = dt.cumsum(1)
        before, after = (
            (age.unsqueeze(1) + each).clamp(max=2 * self.config.slow_seconds) for each in (passed - dt, passed)
        )
        return Time.of(dt, before, after, seens, self.spans)

    def _inputs(self, features: Tensor, memories: list[Tensor], time: Time) -> tuple[Tensor, list[Tensor]]:
        """What the LSTM is given for each frame, [S, T, ...], and the senses' memories after them."""
        appearance, *glances = torch.split(features, self.feature_sizes, dim=2)
        if isinstance(self.look, TrunkLook) and self.look.fixed:
            appearance = self.look.digested(appearance)
        inputs, plain, after = [appearance], list[Tensor](), list[Tensor]()
        for sense, glance, memory in zip(self._senses, glances, memories, strict=True):
            given, remembered = sense(glance.detach(), memory, time)  # no weight made the glance
            (inputs if sense is self.comparison else plain).append(given)
            after.append(remembered)
        if self.digest:
            inputs.append(self.digest(torch.cat(plain, dim=2)))
        return torch.cat(inputs, dim=2), after


class Digest(nn.Module):
    """Features of what plain arithmetic gives: standardised as training found it, then one rectified layer."""

    mean: Tensor
    std: Tensor

    def __init__(self, num_plain: int, config: NetworkConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_plain))
        self.register_buffer("std", torch.ones(num_plain))
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Linear(num_plain, config.dense).apply(initialise)

    def forward(self, plain: Tensor) -> Tensor:
        """[..., num_plain] -> [..., dense]."""
        standard = ((plain - self.mean) / self.std).clamp(-LARGEST_INPUT, LARGEST_INPUT)
        return functional.relu(self.dense(self.dropout(standard)))


def _look(config: NetworkConfig, size: tuple[int, int], num_tiles: int) -> BuiltinLook | TrunkLook:
    if config.backbone == BUILTIN:
        return BuiltinLook(config.widths, config.appearance, config.dropout, num_tiles, normed=config.normed)
    if config.backbone == LITE:
        return TrunkLook(open_lite(), lite_weights, config.appearance, config.dropout, fixed=True)
    name = config.backbone.removeprefix(TIMM)
    published = partial(pretrained_weights, name, size)
    return TrunkLook(open_trunk(name, size), published, config.appearance, config.dropout, fixed=False)


def _planes(images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Levels of RGB images, their grey, and in tiles their colours and their detail, as `Sight` has them."""
    num_images, _, height, width = images.shape
    planes = torch.empty((num_images, 4, height, width), device=images.device)
    colours, edges = planes[:, :3], planes[:, 3]
    colours.copy_(images)
    red, green, blue = colours.unbind(1)
    grey = (red * (LUMA[0] / LEVELS)).add_(green, alpha=LUMA[1] / LEVELS).add_(blue, alpha=LUMA[2] / LEVELS)
    _draw_edges(grey, edges)
    tiles, strength = torch.split(tile_sums(planes) / TILE**2, [3, 1], dim=1)
    return colours, grey.unsqueeze(1), tiles / LEVELS, torch.log(strength + 1e-3)


def _evened(images: Tensor, luma: Tensor) -> Tensor:
    """The levels of RGB images as if all had been taken in about the same light, by day or by night."""
    pixels = images.float() / LEVELS
    grey = torch.einsum("bchw,c->bhw", pixels, luma).unsqueeze(1)
    light, contrast = grey.mean((2, 3), keepdim=True), grey.std((2, 3), keepdim=True)
    gain = (USUAL_CONTRAST / (contrast + 1e-3)).clamp(max=LARGEST_GAIN)
    usual = USUAL_LIGHT + TRACE * (light - USUAL_LIGHT)
    return LEVELS * (usual + gain * (pixels - light)).clamp(0, 1)


def _draw_edges(grey: Tensor, edges: Tensor) -> None:
    """Writes a picture's absolute Laplacian, both [B, H, W]; at its border there is none.

    Rows are taken as one line, whose neighbours lie at equal distances: what this gives at their ends is put right.
    """
    height, width = grey.shape[1:]
    line, size = grey.flatten(1), height * width
    inner = edges.view(-1, size)[:, width : size - width]
    torch.add(line[:, : size - 2 * width], line[:, 2 * width :], out=inner)
    inner.add_(line[:, width - 1 : size - width - 1]).add_(line[:, width + 1 : size - width + 1])
    inner.sub_(line[:, width : size - width], alpha=4).abs_()
    edges[:, :: height - 1].zero_()
    edges[:, :, :: width - 1].zero_()


def _facts(told: Tensor | None, images: Tensor) -> tuple[Tensor, Tensor]:
    """Figures and marks; of what nothing is told of, none."""
    if told is None:
        told = torch.full((len(images), NUM_TOLD), torch.nan, device=images.device)
    figures, mark = torch.split(told.float(), [MAX_FIGURES, NUM_TOLD - MAX_FIGURES], dim=1)
    return figures, mark.nan_to_num()


def build_network(hyper_parameters: Mapping[str, Any], num_labels: int, height: int, width: int) -> Network:
    """A network with fresh weights; raises ModelUnusable naming the parameter that is not allowed."""
    try:
        config = NetworkConfig.model_validate(dict(hyper_parameters))
    except ValidationError as err:
        raise ModelUnusable(f"network: {first_problem(err)}") from err
    for name, widths in (("widths", config.widths), ("change_widths", config.change_widths)):
        if not 1 <= min(widths) <= max(widths) <= 1024:
            raise ModelUnusable(f"network: {name} are {widths}; allowed are 1 to 1024")
    if height % TILE or width % TILE or min(height, width) < 2 * TILE:
        raise ModelUnusable(f"network: input is {height}x{width}; both must be multiples of {TILE}, at least 32")
    if not (config.appearance or config.change or config.histograms or config.figures):
        raise ModelUnusable("network: appearance, change, histograms and figures are all off: it would see nothing")
    return Network(config, num_labels, height, width)


def load_pretrained(network: Network) -> None:
    """Gives a backbone the weights it was published with, before training; the built-in one has none.

    Never needed to serve: a saved model holds all its weights. Raises ModelUnusable that says which weights are
    missing, and where they were looked for.
    """
    if isinstance(network.look, TrunkLook):
        network.look.load_pretrained()
