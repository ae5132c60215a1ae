"""Views that lose their focus or their place or shake, lights that go out, pictures that stand, as FFmpeg's filters."""

from math import cos, pi, radians, sin
from random import Random
from typing import Final

from training.bench.staging.takes import Filters, Manner, Stage

MARGIN: Final = 0.8
"""The share of the backdrop that the usual view shows where a view moves: it has somewhere to move to."""
MOVED_SECONDS: Final = 3.0
"""How long a new view is news, from its jump's end on."""


def _blurred(stage: Stage, sigma: float, seconds: float, then: str = "") -> str:
    """Out of focus from the start on, in eight steps, up to a blur of `sigma` 240ths of the height."""
    steps = 8 if seconds else 1
    chain = []
    for step in range(steps):
        begins = stage.start + seconds * step / steps
        ends = stage.end if step == steps - 1 else stage.start + seconds * (step + 1) / steps
        blur = sigma * stage.unit * (step + 1) / steps
        chain.append(f"gblur=sigma={blur:.2f}:steps=2:enable='gte(t,{begins:.3f})*lt(t,{ends:.3f})'")
    return f"[base]{','.join(chain)}{then}"


def _veiled(stage: Stage, rng: Random, sigma: float, seconds: float) -> str:
    """Breath or frost: blurred, pale and flat."""
    p, veil = stage.present(max(seconds, 0.1), 0.3), rng.uniform(0.25, 0.5)
    pale = f",eq=contrast='1-{veil:.3f}*{p}':brightness='{0.3 * veil:.3f}*{p}':eval=frame"
    return _blurred(stage, sigma, seconds, pale)


def _smeared(stage: Stage, rng: Random) -> str:
    """Grease that was wiped to one side."""
    turn, reach = rng.uniform(0, 180), rng.uniform(14, 30) * stage.unit
    return f"[base]dblur=angle={turn:.0f}:radius={reach:.1f}:{stage.while_it_lasts}"


def _out_of_focus(low: float, high: float, seconds: tuple[float, float] = (0.0, 0.0)) -> Filters:
    return lambda stage, rng: _blurred(stage, rng.uniform(low, high), rng.uniform(*seconds))


def _gone(stage: Stage, shift: tuple[float, float], degrees: float, zoom: float, p: str) -> str:
    """The view at p of the way to another one: shifted by shares of the view, turned, magnified."""
    wide, high = MARGIN * stage.width, MARGIN * stage.height
    x, y = f"(W/2+{wide * shift[0]:.2f}*{p})", f"(H/2+{high * shift[1]:.2f}*{p})"
    return _looking(stage, x, y, f"(1+{1 / zoom - 1:.4f}*{p})", f"({radians(degrees):.5f}*{p})")


def _looking(stage: Stage, x: str, y: str, scale: str, turn: str) -> str:
    """The view around a point of the backdrop, enlarged and turned, as expressions of W, H and t."""
    wide, high = MARGIN * stage.width / 2, MARGIN * stage.height / 2
    corners = []
    for number, (right, down) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
        a, b = right * wide, down * high
        corners.append(f"x{number}='{x}+{scale}*({a:.2f}*cos({turn})-({b:.2f})*sin({turn}))'")
        corners.append(f"y{number}='{y}+{scale}*({a:.2f}*sin({turn})+({b:.2f})*cos({turn}))'")
    options = ":".join(corners).replace("(t-", f"(on/{stage.fps:.5f}-")
    return f"[base]perspective={options}:interpolation=cubic:eval=frame"


def _shifted(low: float, high: float, seconds: float) -> Filters:
    def filters(stage: Stage, rng: Random) -> str:
        turn, far = radians(rng.uniform(0, 360)), rng.uniform(low, high)
        return _gone(stage, (far * cos(turn), far * sin(turn)), 0, 1, stage.risen(seconds))

    return filters


def _turned(low: float, high: float) -> Filters:
    return lambda stage, rng: _gone(
        stage, (0, 0), rng.uniform(low, high) * rng.choice((-1, 1)), 1 + high / 60, stage.risen(0.15)
    )


def _zoomed(low: float, high: float, seconds: float) -> Filters:
    return lambda stage, rng: _gone(stage, (0, 0), 0, rng.uniform(low, high), stage.risen(seconds))


def _knocked(stage: Stage, rng: Random) -> str:
    """Knocked aside, it swings and comes to rest in another place."""
    swing = f"({stage.risen(0.15)}*(1+0.6*exp(-3*max(0,(t-{stage.start:.3f})))*sin(14*(t-{stage.start:.3f}))))"
    side = rng.choice((-1, 1))
    return _gone(stage, (0.13 * side, rng.uniform(-0.06, 0.06)), 5 * side, 1.0, swing)


def _turned_away(stage: Stage, rng: Random) -> str:
    """To quite another view: the mirrored backdrop, enlarged."""
    enlarged = f"scale=iw*1.3:-2,crop={stage.width}:{stage.height}"
    return (
        f"[base]split[usual][taken];[taken]{rng.choice(('hflip', 'hflip,vflip'))},{enlarged},setsar=1[other];"
        f"[usual][other]overlay=enable='gte(t,{stage.start:.3f})'"
    )


def _shaking(
    far: tuple[float, float], hertz: tuple[float, float], *, degrees: float = 0.0, high: float = 1.0, gusts: float = 0.0
) -> Filters:
    """A view that trembles or sways by shares of itself about its usual place, `high` times as much up and down.

    `gusts` is how often a second it comes and goes.
    """

    def filters(stage: Stage, rng: Random) -> str:
        reach, since, at_times = rng.uniform(*far), f"(t-{stage.start:.3f})", ""
        if gusts:
            at_times = f"*(0.3+0.7*pow(sin({pi * gusts:.3f}*{since}),2))"

        def swing(most: float) -> str:
            rate, phase = 2 * pi * rng.uniform(*hertz), rng.uniform(0, 6)
            waves = f"(0.7*sin({rate:.3f}*{since}+{phase:.2f})+0.3*sin({1.63 * rate:.3f}*{since}))"
            return f"{most:.5f}*{waves}*{stage.present(0.3, 0.3)}{at_times}"

        x, y = swing(reach * MARGIN * stage.width), swing(high * reach * MARGIN * stage.height)
        return _looking(stage, f"(W/2+{x})", f"(H/2+{y})", "1", f"({swing(radians(degrees))})")

    return filters


def _darkened(stage: Stage, rng: Random, left: float, seconds: float, noise: int) -> str:
    """All light but a share goes out; what is left is noisy."""
    p = stage.present(seconds, rng.uniform(0.1, 1.0))
    less = 1 - left
    dark = f"eq=contrast='1-{less:.3f}*{p}':brightness='-{0.4392 * less:.4f}*{p}':saturation='1-0.9*{p}':eval=frame"
    return f"[base]{dark},noise=alls={noise}:allf=t:{stage.while_it_lasts}"


def _lights(left: tuple[float, float], seconds: tuple[float, float], noise: tuple[int, int]) -> Filters:
    return lambda stage, rng: _darkened(stage, rng, rng.uniform(*left), rng.uniform(*seconds), rng.randint(*noise))


CLOCKS: Final = {
    "seconds": r"%{pts\:gmtime\:1700000000\:%d.%m.%Y %H\\\:%M\\\:%S}",
    "milliseconds": r"%{pts\:hms}",
    "frames": r"CAM 01  %{n}",
}


def _stopped(clock: str | None = None, *, grain: tuple[int, int] = (5, 9)) -> Filters:
    """A restless picture, grainy as sensors are, that stops from the start to the end, under a clock that runs on."""

    def filters(stage: Stage, rng: Random) -> str:
        first, count = round(stage.start * stage.fps), round((stage.end - stage.start) * stage.fps)
        held = f"loop=loop={count}:size=1:start={first},setpts=N/{stage.fps}/TB"
        written = f",{_clock(stage, rng, CLOCKS[clock])}" if clock else ""
        return f"[base]noise=alls={rng.randint(*grain)}:allf=t,{held}{written}"

    return filters


def _clock(stage: Stage, rng: Random, text: str) -> str:
    size = max(10, round(rng.uniform(11, 18) * stage.unit))
    x, y = rng.choice(("8", "w-tw-8")), rng.choice(("6", "h-th-6"))
    box = rng.choice((":box=1:boxcolor=black@0.6", ":borderw=1"))
    return f"drawtext=text='{text}':fontsize={size}:fontcolor=white:x={x}:y={y}{box}"


_DEFOCUSED: Final = {
    "slightly": _out_of_focus(1.8, 3.0),
    "wholly": _out_of_focus(5, 11),
    "within a second": _out_of_focus(3, 7, (0.5, 1.0)),
    "slowly": _out_of_focus(4, 8, (2.5, 3.5)),
    "breath": lambda stage, rng: _veiled(stage, rng, rng.uniform(4, 7), 0.5),
    "frost": lambda stage, rng: _veiled(stage, rng, rng.uniform(3, 6), 3.0),
    "smeared": _smeared,
}
_MOVED: Final = {
    "slightly": (_shifted(0.06, 0.1, 0.1), 0.1),
    "far": (_shifted(0.16, 0.3, 0.15), 0.15),
    "pushed slowly": (_shifted(0.16, 0.3, 2.0), 2.0),
    "turned slightly": (_turned(3, 5), 0.15),
    "turned far": (_turned(10, 25), 0.15),
    "zoomed": (_zoomed(1.2, 1.7, 0.12), 0.12),
    "zoomed slowly": (_zoomed(1.3, 1.8, 2.0), 2.0),
    "knocked": (_knocked, 0.5),
    "turned away": (_turned_away, 0.0),
}
_LIGHTS_OUT: Final = {
    "black": _lights((0.0, 0.01), (0.1, 0.3), (1, 3)),
    "at once": _lights((0.04, 0.15), (0.1, 0.4), (4, 10)),
    "within a second": _lights((0.03, 0.12), (0.5, 1.0), (3, 10)),
    "within two seconds": _lights((0.02, 0.1), (1.4, 2.0), (3, 10)),
    "dim": _lights((0.12, 0.18), (0.2, 0.6), (6, 14)),
}
_FROZEN: Final = {
    "no clock": (_stopped(), None),
    "no clock, low rate": (_stopped(), "h264 low"),
    "no clock, fine grain": (_stopped(grain=(3, 4)), "mjpeg"),
    "seconds clock": (_stopped("seconds"), None),
    "millisecond clock": (_stopped("milliseconds"), None),
    "millisecond clock, low rate": (_stopped("milliseconds"), "h264 low"),
    "frame counter": (_stopped("frames"), "mpeg4"),
}
_SHAKE: Final = {
    "motor": _shaking((0.006, 0.014), (4.3, 5.6)),
    "wind": _shaking((0.015, 0.03), (0.8, 1.6), degrees=0.5, high=0.6),
    "mast": _shaking((0.05, 0.08), (0.35, 0.5), high=0.2),
    "traffic": _shaking((0.015, 0.03), (2.5, 4.5), high=2.0, gusts=0.6),
    "rolling": _shaking((0.005, 0.01), (0.7, 1.3), degrees=3.5),
    "in the hand": _shaking((0.05, 0.08), (1.2, 2.2), degrees=2.5),
}

VIEWS: Final = (
    *(Manner("defocused", name, filters) for name, filters in _DEFOCUSED.items()),
    *(Manner("moved", name, filters, lasts=MOVED_SECONDS + travel) for name, (filters, travel) in _MOVED.items()),
    *(Manner("lights_out", name, filters) for name, filters in _LIGHTS_OUT.items()),
    *(Manner("frozen", name, filters, codec) for name, (filters, codec) in _FROZEN.items()),
    *(Manner("shake", name, filters) for name, filters in _SHAKE.items()),
)
