"""The network: a CNN that sees one frame and an LSTM that remembers a stream."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional

from services.inference.network.backbones import (
    INPUT_MEAN,
    INPUT_STD,
    BuiltinLook,
    TimmLook,
    initialise,
)
from services.inference.network.comparison import Compare, stretched
from services.inference.network.config import BUILTIN, TIMM, NetworkConfig
from services.inference.network.fovea import NUM_PLACES, Fovea
from services.inference.network.likeness import local_likeness, optical_flow, phase_peaks
from services.inference.network.measures import NUM_MEASURES, Glance, Memory, halved, log_change, measure, still_seconds
from shared.errors import ModelUnusable
from shared.words.validation import first_problem

NUM_PEAKS = 4
STRIDE = 16
"""The input's height and width are multiples of this."""
LUMA = (0.299, 0.587, 0.114)
LONGEST_DT_SECONDS = 60.0
"""Longer gaps count as this long."""
SETTLING_SECONDS = 3.0
"""So long the slow background is the plain mean of what was seen; then it follows slowly."""


class Network(nn.Module):
    """Scores each frame of a stream from its look and from the memory of the frames before it.

    `encode` knows no time, so that all frames of a batch go through it at once; `step` goes on by one frame.
    """

    def __init__(self, config: NetworkConfig, num_labels: int, height: int, width: int) -> None:
        super().__init__()
        self.config = config
        self.num_labels = num_labels
        self.thumb_size = (height // config.thumb_pool, width // config.thumb_pool)
        thumb, tiles = math.prod(self.thumb_size), (height // STRIDE) * (width // STRIDE)
        tint = 2 * thumb // 4 if config.colour else 0
        self._feature_sizes = [config.appearance, thumb, tiles, tint]
        self._state_sizes = [config.hidden, config.hidden, thumb, thumb, thumb // 4, tiles, tint, tint, 1, 1, 1, 1]
        self.feature_size = sum(self._feature_sizes)
        self.state_size = sum(self._state_sizes)
        self.look = _look(config, (height, width), tiles)
        self.compare = Compare(config, tiles).apply(initialise)
        self.dropout = nn.Dropout(config.dropout)
        self.fovea = Fovea(config).apply(initialise) if config.fovea else None
        num_inputs = config.appearance + config.change + NUM_MEASURES + (NUM_PEAKS if config.likeness else 0)
        num_inputs += config.change + NUM_PLACES if config.fovea else 0
        self.norm = nn.LayerNorm(num_inputs) if config.normed else nn.Identity()
        self.lstm = nn.LSTMCell(num_inputs, config.hidden)
        self.head = nn.Linear(config.hidden + num_inputs, num_labels)

    def encode(self, images: Tensor) -> Tensor:
        """Features [B, feature_size], float32, of normalised RGB images [B, 3, H, W]; rows are independent."""
        appearance = self.look(images).float()
        with torch.autocast(images.device.type, enabled=False):
            grey = _grey(images.float())
            thumb = functional.avg_pool2d(grey, self.config.thumb_pool).flatten(1)
            parts = [thumb, _edge_strength(grey).flatten(1)]
            if self.config.colour:
                tint = images.float()[:, ::2] * INPUT_STD + INPUT_MEAN - grey
                parts.append(functional.avg_pool2d(tint, 2 * self.config.thumb_pool).flatten(1))
        return torch.cat((appearance, *parts), dim=1)

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
            appearance, *plain = torch.split(features.float(), self._feature_sizes, dim=2)
            glances = Glance(appearance, *(part.detach() for part in plain))  # no weight made them
            dt = dt_seconds.float().clamp(0, LONGEST_DT_SECONDS).unsqueeze(2)
            hidden, cell, *parts = torch.split(state, self._state_sizes, dim=1)
            memory = Memory(*parts)
            dt = torch.cat((dt[:, :1] * memory.seen.unsqueeze(1), dt[:, 1:]), dim=1)
            recalled, memory = self._recalled(glances, dt, memory)
            inputs = self.norm(self._inputs(glances, recalled, dt))
            hiddens = []
            for frame in self.dropout(inputs).unbind(1):
                hidden, cell = self.lstm(frame, (hidden, cell))
                hiddens.append(hidden)
            logits = self.head(self.dropout(torch.cat((torch.stack(hiddens, dim=1), inputs), dim=2)))
            return logits, torch.cat((hidden, cell, *memory), dim=1)

    def _recalled(self, glances: Glance, dt: Tensor, memory: Memory) -> tuple[Memory, Memory]:
        """What the memory held at each of T frames, [S, T, ...], and what it holds after them."""
        held = []
        for *parts, frame_dt in zip(*(values.unbind(1) for values in (*glances, dt)), strict=True):
            glance = Glance(*parts)
            held.append(self._begun(memory, glance))
            memory = self._remembered(glance, held[-1], frame_dt)
        return Memory(*(torch.stack(values, dim=1) for values in zip(*held, strict=True))), memory

    def _begun(self, memory: Memory, glance: Glance) -> Memory:
        """The memory, but a stream that starts is given its first frame as its past."""
        seen = memory.seen > 0.5
        return memory._replace(
            previous=torch.where(seen, memory.previous, glance.thumb),
            slow=torch.where(seen, memory.slow, glance.thumb),
            fast=torch.where(seen, memory.fast, halved(glance.thumb, self.thumb_size)),
            detail=torch.where(seen, memory.detail, glance.detail),
            previous_tint=torch.where(seen, memory.previous_tint, glance.tint),
            slow_tint=torch.where(seen, memory.slow_tint, glance.tint),
        )

    def _inputs(self, glances: Glance, recalled: Memory, dt: Tensor) -> Tensor:
        """What the LSTM is given for each frame, [S, T, ...]."""
        num_streams, num_frames = dt.shape[:2]
        glance = Glance(*(values.flatten(0, 1) for values in glances))
        memory = Memory(*(values.flatten(0, 1) for values in recalled))
        pictures, *others = self._pictures(glance, memory)
        change = self.compare(pictures, *others)
        closer = (self.fovea(pictures, pictures[:, 2]),) if self.fovea else ()
        measures = measure(glance, memory, dt.flatten(0, 1), self.thumb_size)
        peaks = (_peaks(glance, memory, self.thumb_size),) if self.config.likeness else ()
        inputs = torch.cat((glance.appearance, change, measures, *peaks, *closer), dim=1)
        return inputs.view(num_streams, num_frames, -1)

    def _pictures(self, glance: Glance, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """What `compare` sees: now and past [S, C, h, w], the same coarser [S, c, h/2, w/2], detail [S, 2, tiles]."""
        fast = stretched(halved(glance.thumb, self.thumb_size) - memory.fast)
        now = (
            2 * (glance.thumb - 0.5),
            2 * (memory.slow - 0.5),
            stretched(glance.thumb - memory.previous),
            stretched(glance.thumb - memory.slow),
        )
        height, width = self.thumb_size
        pictures = torch.stack(now, dim=2).view(-1, height, width, 4).permute(0, 3, 1, 2)
        coarse = fast.view(-1, 1, height // 2, width // 2)
        before, slow, after = (
            thumb.view(-1, 1, height, width) for thumb in (memory.previous, memory.slow, glance.thumb)
        )
        if self.config.likeness:
            pictures = torch.cat((pictures, local_likeness(before, after), local_likeness(slow, after)), dim=1)
        if self.config.flow:
            halves = (functional.avg_pool2d(thumb, 2) for thumb in (before, after))
            pictures = torch.cat((pictures, optical_flow(before, after)), dim=1)
            coarse = torch.cat((coarse, optical_flow(*halves)), dim=1)
        if self.config.colour:
            tints = (
                4 * glance.tint,
                stretched(glance.tint - memory.previous_tint),
                stretched(glance.tint - memory.slow_tint),
            )
            coarse = torch.cat((coarse, *(tint.view(-1, 2, height // 2, width // 2) for tint in tints)), dim=1)
        return (
            pictures,
            coarse,
            torch.stack((0.3 * glance.detail + 1, glance.detail - memory.detail), dim=1),
        )

    def _remembered(self, glance: Glance, memory: Memory, dt: Tensor) -> Memory:
        """The memory after this frame: plain means at first, then exponential ones, by elapsed time."""
        age = torch.where(memory.seen > 0.5, memory.age_seconds + dt, torch.zeros_like(dt))
        age = age.clamp(max=2 * self.config.slow_seconds)
        settled = age > SETTLING_SECONDS
        slow = torch.where(settled, 1 - torch.exp(-dt / self.config.slow_seconds), dt / (age + 1e-3).maximum(dt))
        fast = 1 - torch.exp(-dt / self.config.fast_seconds)
        return Memory(
            previous=glance.thumb,
            slow=torch.lerp(memory.slow, glance.thumb, slow),
            fast=torch.lerp(memory.fast, halved(glance.thumb, self.thumb_size), fast),
            detail=torch.lerp(memory.detail, glance.detail, slow),
            previous_tint=glance.tint,
            slow_tint=torch.lerp(memory.slow_tint, glance.tint, slow),
            unrest=torch.lerp(memory.unrest, log_change(glance.thumb - memory.previous), slow),
            still_seconds=still_seconds(glance.thumb - memory.previous, memory, dt),
            age_seconds=age,
            seen=torch.ones_like(memory.seen),
        )


def _look(config: NetworkConfig, size: tuple[int, int], num_tiles: int) -> nn.Module:
    if config.backbone == BUILTIN:
        return BuiltinLook(config.widths, config.appearance, config.dropout, num_tiles, normed=config.normed)
    return TimmLook(config.backbone.removeprefix(TIMM), config.appearance, config.dropout, size)


def _peaks(glance: Glance, memory: Memory, size: tuple[int, int]) -> Tensor:
    """Phase correlation with the frame before and with the slow background, [S, 4]."""
    now, previous, slow = (thumb.view(-1, *size) for thumb in (glance.thumb, memory.previous, memory.slow))
    return 4 * torch.cat((*phase_peaks(now, previous), *phase_peaks(now, slow)), dim=1)


def _grey(images: Tensor) -> Tensor:
    """Grey levels 0..1 [B, 1, H, W] of normalised images."""
    red, green, blue = (images[:, index : index + 1] for index in range(3))
    return INPUT_MEAN + INPUT_STD * (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)


def _edge_strength(grey: Tensor) -> Tensor:
    """Logarithm of the mean absolute Laplacian in 16x16 tiles, [B, 1, H/16, W/16]."""
    middle = grey[:, :, 1:-1, 1:-1]
    around = grey[:, :, :-2, 1:-1] + grey[:, :, 2:, 1:-1] + grey[:, :, 1:-1, :-2] + grey[:, :, 1:-1, 2:]
    edges = functional.pad((4 * middle - around).abs(), (1, 1, 1, 1))
    return torch.log(functional.avg_pool2d(edges, STRIDE) + 1e-3)


def build_network(hyper_parameters: Mapping[str, Any], num_labels: int, height: int, width: int) -> Network:
    """A network with fresh weights; raises ModelUnusable naming the parameter that is not allowed."""
    try:
        config = NetworkConfig.model_validate(dict(hyper_parameters))
    except ValidationError as err:
        raise ModelUnusable(f"network: {first_problem(err)}") from err
    for name, widths in (("widths", config.widths), ("change_widths", config.change_widths)):
        if not 1 <= min(widths) <= max(widths) <= 1024:
            raise ModelUnusable(f"network: {name} are {widths}; allowed are 1 to 1024")
    if height % STRIDE or width % STRIDE or min(height, width) < 2 * STRIDE:
        raise ModelUnusable(f"network: input is {height}x{width}; both must be multiples of {STRIDE}, at least 32")
    return Network(config, num_labels, height, width)


def load_pretrained(network: Network) -> None:
    """Gives a timm backbone the weights it was published with, before training; the built-in one has none.

    Never needed to serve: a saved model holds all its weights. Raises ModelUnusable that says which weights are
    missing, and where they were looked for.
    """
    if isinstance(network.look, TimmLook):
        network.look.load_pretrained()
