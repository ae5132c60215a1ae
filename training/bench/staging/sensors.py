"""Sensors that a light blinds, that see colours wrong, or whose pictures drown in noise, as FFmpeg's filters."""

from random import Random
from typing import Final

from training.bench.staging.covers import exposed
from training.bench.staging.takes import Filters, Manner, Stage

Colour = tuple[float, float, float]
"""Shares of red, green and blue."""

X: Final = "((X-W/2)*2/H)"
Y: Final = "((Y-H/2)*2/H)"
FAR: Final = f"hypot({X},{Y})"
"""Heights of the view from the middle of a light, which lies in the middle of a picture of four views."""


def _lit(
    stage: Stage, field: str, colour: Colour, place: tuple[str, str], *, seconds: tuple[float, float], answer: str
) -> str:
    """A light that comes and goes within so many seconds before what the camera's exposure has made of the rest.

    `field` is its brightness by X, Y and FAR, 255 and more where it blinds; `place` are expressions of t, shares of
    the view.
    """
    r, g, b = (f"clip({share}*({field}),0,255)" for share in colour)
    frame, (x, y), (rise, fall) = 1 / stage.fps, place, seconds
    small = f"{2 * round(stage.width / 4)}x{2 * round(stage.height / 4)}"
    light = (
        f"color=c=black:s={small}:r={stage.fps}:d={frame},format=gbrp,geq=r='{r}':g='{g}':b='{b}',"
        f"scale={2 * stage.width}:{2 * stage.height}:flags=bicubic,{stage.held},"
        f"crop={stage.width}:{stage.height}:x='iw/2*(1-({x}))':y='ih/2*(1-({y}))',setsar=1"
    )
    fades = f"fade=t=in:st={stage.start:.3f}:d={rise:.3f},fade=t=out:st={stage.end:.3f}:d={fall:.3f}"
    return f"{light},{fades}[light];[base]{answer},format=gbrp[rest];[rest][light]blend=all_mode=screen:shortest=1"


def _glow(core: float, halo: float, reach: float) -> str:
    """A disc that blinds, and the flare around it."""
    return f"700*exp(-pow({FAR}/{core:.3f},2))+{halo:.0f}*exp(-{FAR}/{reach:.3f})"


def _sun(stage: Stage, rng: Random) -> str:
    """The sun, or the camera, comes round: it wanders in from a side, with its rays and its veil."""
    side, takes = rng.choice((-1, 1)), rng.uniform(2.0, 4.0)
    x = f"{0.5 + 0.5 * side}-{side * rng.uniform(0.25, 0.6):.3f}*{stage.risen(takes)}"
    rays = f"+240*exp(-{FAR}/0.3)*pow(abs(cos(3*atan2({Y},{X})+{rng.uniform(0, 3):.2f})),20)"
    field = _glow(rng.uniform(0.25, 0.36), rng.uniform(110, 170), rng.uniform(0.4, 0.8)) + rays
    place = x, f"{rng.uniform(0.25, 0.4):.3f}"
    answer = exposed(stage, rng, rng.uniform(0.55, 0.8))
    return _lit(stage, field, (1.0, 0.95, 0.84), place, seconds=(takes, rng.uniform(0.3, 1.5)), answer=answer)


def _headlights(stage: Stage, rng: Random) -> str:
    """Two lamps that turn towards the lens and stay."""
    apart, core, streak = rng.uniform(0.24, 0.36), rng.uniform(0.16, 0.19), rng.uniform(120, 220)
    lamps = "+".join(f"700*exp(-pow(hypot({X}{side}{apart:.3f},{Y})/{core:.3f},2))" for side in "+-")
    field = f"{lamps}+{streak:.0f}*exp(-abs({Y})/0.02-abs({X})/0.9)+90*exp(-{FAR}/0.45)"
    place = f"{rng.uniform(0.35, 0.65):.3f}", f"{rng.uniform(0.45, 0.7):.3f}"
    colour = rng.choice(((1.0, 0.94, 0.78), (0.9, 0.96, 1.0)))
    answer = exposed(stage, rng, rng.uniform(0.6, 0.9))
    return _lit(stage, field, colour, place, seconds=(rng.uniform(0.2, 0.6), 0.3), answer=answer)


def _torch(stage: Stage, rng: Random) -> str:
    """A lamp held before the lens: most of the picture is gone at once."""
    field = _glow(rng.uniform(0.45, 0.6), 200, 0.7)
    place = f"{rng.uniform(0.35, 0.65):.3f}+0.01*sin(5*t)", f"{rng.uniform(0.4, 0.6):.3f}"
    answer = exposed(stage, rng, rng.uniform(0.4, 0.65))
    return _lit(stage, field, (1.0, 0.98, 0.94), place, seconds=(rng.uniform(0.08, 0.3), 0.15), answer=answer)


def _from_a_corner(stage: Stage, rng: Random) -> str:
    """A low sun beside the view: a corner is gone, and a veil over all the rest."""
    field = f"{_glow(rng.uniform(0.5, 0.65), 120, 0.8)}+{rng.uniform(25, 60):.0f}"
    place = str(rng.choice((0.0, 1.0))), str(rng.choice((0.0, 0.1)))
    answer = exposed(stage, rng, rng.uniform(0.7, 0.95))
    return _lit(stage, field, (1.0, 0.96, 0.86), place, seconds=(rng.uniform(1.0, 2.5), 1.0), answer=answer)


def _overexposed(stage: Stage, rng: Random) -> str:
    """The exposure runs away: all that is not dark is white."""
    p, gain, lift = stage.present(rng.uniform(0.2, 1.2), 0.4), rng.uniform(2.2, 2.8), rng.uniform(0.12, 0.2)
    bright = f"brightness='{0.4392 * (gain - 1) + lift:.4f}*{p}'"
    return f"[base]eq=contrast='1+{gain - 1:.3f}*{p}':{bright}:saturation='1+0.5*{p}':eval=frame"


def _taken_over(stage: Stage, over: str, rise: float, fall: float) -> str:
    """From the usual picture to what `over`, filters from [taken] on, makes of it, and back, within so many seconds."""
    come = f"fade=t=in:st={stage.start:.3f}:d={rise:.3f}:alpha=1"
    go = f"fade=t=out:st={stage.end:.3f}:d={fall:.3f}:alpha=1"
    return f"[base]split[usual][taken];[taken]{over},format=yuva420p,{come},{go}[other];[usual][other]overlay"


def _sunlit(stage: Stage, rng: Random) -> str:
    """Clouds part: sun through a window falls into the view, and what is not black there is white."""
    lean, wide, high = rng.uniform(-0.5, 0.5), rng.uniform(0.4, 0.55), rng.uniform(0.3, 0.4)
    x, y = f"(X/H-{stage.width / stage.height * rng.uniform(0.4, 0.6):.3f})", f"(Y/H-{rng.uniform(0.4, 0.6):.3f})"
    x = f"({x}-({lean:.2f})*{y})"
    panes = f"lt(abs({x}),{wide:.3f})*lt(abs({y}),{high:.3f})*gt(abs({x}),0.025)*gt(abs({y}-0.06),0.02)"
    frame = 1 / stage.fps
    mask = (
        f"color=c=black:s={stage.width}x{stage.height}:r={stage.fps}:d={frame},format=gray,geq=lum='255*{panes}',"
        f"gblur=sigma={rng.uniform(1, 3) * stage.unit:.2f},{stage.held}"
    )
    bright = f"lutyuv=y='clip(70+{rng.uniform(4, 6):.2f}*(val-16),16,235)'"
    over = f"{bright},format=yuva420p[bright];{mask}[panes];[bright][panes]alphamerge=shortest=1"
    return _taken_over(stage, over, rng.uniform(0.5, 1.5), 0.8)


def _cast(colours: tuple[Colour, ...], seconds: tuple[float, float]) -> Filters:
    """All light through one of these colours."""

    def filters(stage: Stage, rng: Random) -> str:
        red, green, blue = (share * rng.uniform(0.94, 1.06) for share in rng.choice(colours))
        over = f"colorchannelmixer=rr={red:.3f}:gg={green:.3f}:bb={blue:.3f}"
        return _taken_over(stage, over, rng.uniform(*seconds), 0.3)

    return filters


def _infrared(stage: Stage, rng: Random) -> str:
    """The infrared filter sticks by day: all light tells in red and some in blue, and green is what lacks."""
    more, less = rng.uniform(0.35, 0.6), rng.uniform(0.7, 0.8)
    red = f"rr={less + 0.3 * more:.3f}:rg={0.6 * more:.3f}:rb={0.1 * more:.3f}"
    blue = f"br={0.2 * more:.3f}:bg={0.4 * more:.3f}:bb={less:.3f}"
    return _taken_over(stage, f"colorchannelmixer={red}:gg={less:.3f}:{blue}", rng.uniform(0.1, 0.3), 0.2)


def _shifted_colours(stage: Stage, rng: Random) -> str:
    """A line whose colours lie aside by as much everywhere, in what is black and what is white, too."""
    u, v = rng.choice(((1, 0.3), (-1, 0.4), (0.3, 1), (-0.5, -1), (-0.8, 0.8)))
    off = rng.uniform(20, 36)
    return _taken_over(stage, f"lutyuv=u='val+({off * u:.0f})':v='val+({off * v:.0f})'", 2 / stage.fps, 2 / stage.fps)


def _grey(stage: Stage, size: tuple[int, int], frames: int | None = None) -> str:
    """A grey picture, which merged with another leaves it as it is."""
    lasts = f":d={frames / stage.fps}" if frames else ""
    return f"color=c=0x828282:s={size[0]}x{size[1]}:r={stage.fps}{lasts},format=yuv420p"


def _merged(stage: Stage, grain: str, rise: float, *, first: str = "null") -> str:
    """What is off in `grain`, a picture about grey of any size, added to the usual one after the filter `first`."""
    over = (
        f"{first}[plain];{grain},scale={stage.width}:{stage.height}:flags=bilinear,setsar=1,format=yuv420p[grain];"
        "[plain][grain]blend=all_mode=grainmerge:shortest=1"
    )
    return _taken_over(stage, over, rise, 0.3)


def _fine_grain(stage: Stage, rng: Random) -> str:
    """The gain rises until each pixel trembles."""
    return _taken_over(stage, f"noise=c0s={rng.randint(22, 34)}:c0f=t", rng.uniform(1.0, 2.0), 0.5)


def _coloured_grain(stage: Stage, rng: Random) -> str:
    """A sensor's noise at a gain that ran away: coarse and coloured."""
    size = 2 * round(stage.width / 4), 2 * round(stage.height / 4)
    grain = f"{_grey(stage, size)},noise=alls={rng.randint(45, 75)}:allf=t"
    return _merged(stage, grain, rng.uniform(0.2, 1.0))


def _snow(stage: Stage, rng: Random) -> str:
    """An analogue line that is nearly lost: snow, and a pale picture behind it."""
    size = 2 * round(stage.width / rng.choice((3, 4))), stage.height
    left = rng.uniform(0.3, 0.7)
    grain = f"{_grey(stage, size)},noise=c0s=100:c0f=t"
    return _merged(stage, grain, 1 / stage.fps, first=f"eq=contrast={left:.3f}:saturation={left:.3f}")


def _sparks(stage: Stage, rng: Random) -> str:
    """A motor or a loose plug: white and black dashes all over."""
    size, rarely = (2 * round(stage.width / 16), stage.height), rng.randint(100, 112)
    dashes = f"lutyuv=y='128+127*gt(val,{128 + rarely})-112*lt(val,{128 - rarely})'"
    return _merged(stage, f"{_grey(stage, size)},noise=c0s=100:c0f=t,{dashes}", 1 / stage.fps)


def _hum(stage: Stage, rng: Random) -> str:
    """The mains in the line: bars that roll, and lines that differ."""
    bars, deep, rolls = rng.uniform(1.5, 4), rng.uniform(22, 40), rng.uniform(0.15, 0.6) * rng.choice((-1, 1))
    high = f"{stage.height / bars:.2f}"
    still = f"{_grey(stage, (16, 3 * stage.height), 1)},geq=lum='128+{deep:.0f}*sin(2*PI*Y/{high})':cb=128:cr=128"
    rolled = f"crop=16:{stage.height}:0:'{stage.height}+mod({rolls * stage.height:.2f}*t,{high})',setsar=1"
    return _merged(stage, f"{still},{stage.held},{rolled},noise=c0s={rng.randint(12, 28)}:c0f=t", rng.uniform(0.1, 0.6))


def _herringbone(stage: Stage, rng: Random) -> str:
    """A transmitter beside the line: slanting stripes that jump."""
    wave, deep = rng.uniform(3.5, 7) * stage.unit, rng.uniform(26, 44)
    slant = rng.uniform(0.2, 0.8) * rng.choice((-1, 1))
    stripes = f"128+{deep:.0f}*sin(2*PI*(X+{slant:.2f}*Y+3*sin(Y/9))/{wave:.2f})"
    still = f"{_grey(stage, (stage.width + 64, stage.height), 1)},geq=lum='{stripes}':cb=128:cr=128"
    jumps = f"{stage.held},crop={stage.width}:{stage.height}:'64*random(1)':0"
    return _merged(stage, f"{still},{jumps},noise=c0s=12:c0f=t", 2 / stage.fps)


WARM_OR_COLD: Final = ((1.18, 0.98, 0.68), (1.12, 1.0, 0.55), (0.7, 0.96, 1.25))
WITHOUT_ONE: Final = ((0.05, 1.0, 1.0), (1.0, 0.05, 1.0), (1.0, 1.0, 0.05))
FILMS: Final = ((0.95, 0.4, 0.35), (0.4, 0.85, 0.45), (0.4, 0.55, 1.0), (1.0, 0.72, 0.25))

_GLARE: Final = {
    "sun comes round": _sun,
    "headlights": _headlights,
    "torch": _torch,
    "low sun": _from_a_corner,
    "sunlit window": _sunlit,
    "exposure runs away": _overexposed,
}
_NOISE: Final = {
    "fine grain": _fine_grain,
    "coloured grain": _coloured_grain,
    "snow": _snow,
    "sparks": _sparks,
    "hum": _hum,
    "herringbone": _herringbone,
}
_TINT: Final = {
    "white balance": _cast(WARM_OR_COLD, (0.3, 1.0)),
    "white balance, slowly": _cast(WARM_OR_COLD, (3.0, 4.0)),
    "infrared filter": _infrared,
    "channel lost": _cast(WITHOUT_ONE, (0.05, 0.1)),
    "coloured film": _cast(FILMS, (0.3, 0.8)),
    "shifted colours": _shifted_colours,
}

SENSORS: Final = tuple(
    Manner(kind, name, filters)
    for kind, manners in (("glare", _GLARE), ("noise", _NOISE), ("tint", _TINT))
    for name, filters in manners.items()
)
