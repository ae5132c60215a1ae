"""What comes over a lens: boards, cards, hands, cloth, film, spray, webs and drops, as FFmpeg's filters."""

from dataclasses import dataclass
from random import Random
from typing import Final

from training.bench.staging.takes import Manner, Stage

FLAT: Final = "0"
WEAVE: Final = "26*sin(X/2.3)*sin(Y/2.9)+18*sin((X+2*Y)/31)"
FOLDS: Final = "40*sin((X+0.4*Y)/17+2*sin(Y/41))+14*sin(X/5)"
SKIN: Final = "14*sin(X/31)*sin(Y/23)+5*sin((X-Y)/9)+9*sin((X+3*Y)/67)"
SPECKLED: Final = "70*(random(0)-0.5)"

STRAIGHT: Final = "1"
FINGERS: Final = "1-0.16*abs(cos(4.5*PI*v))-0.03*v"
WAVY: Final = "1-0.05*sin(9*v)-0.03*sin(23*v)-0.05"

_SIDES: Final = {
    "left": ("X/W", "Y/H", "W*({share}*{p}-1)", "0"),
    "right": ("1-X/W", "Y/H", "W*(1-{share}*{p})", "0"),
    "top": ("Y/H", "X/W", "0", "H*({share}*{p}-1)"),
    "bottom": ("1-Y/H", "X/W", "0", "H*(1-{share}*{p})"),
}


def _still(stage: Stage, colour: tuple[int, int, int], pattern: str, alpha: str) -> str:
    """One picture with an alpha channel that stays; the expressions know X, Y, W and H."""
    r, g, b = (f"clip({value}+{pattern},0,255)" for value in colour)
    geq = f"geq=r='{r}':g='{g}':b='{b}':a='{alpha}'"
    frame = 1 / stage.fps
    return f"color=c=black:s={stage.width}x{stage.height}:r={stage.fps}:d={frame},format=rgba,{geq},{stage.held}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What slides over the lens: its colour (R, G, B), its pattern and its leading edge."""

    colour: tuple[int, int, int]
    pattern: str = FLAT
    edge: str = STRAIGHT


def slid(
    stage: Stage,
    rng: Random,
    sheet: Sheet,
    *,
    seconds: float | None = None,
    opacity: float = 1.0,
    share: float | None = None,
) -> str:
    """Something that slides in from a random side at a random speed, leaves a strip or none, and goes again."""
    side = rng.choice(list(_SIDES))
    along, across, x, y = _SIDES[side]
    rise, fall = seconds or rng.choice((0.2, 0.4, 0.8, 1.5)), rng.choice((0.2, 0.5, 1.0))
    covered = share or rng.choice((1.0, 0.97, 0.94, 0.91, 0.88))
    covered = min(1.0, covered) if sheet.edge == STRAIGHT else covered + 0.12
    shade = 1 + rng.uniform(-0.12, 0.12)
    red, green, blue = (min(250, round(value * shade)) for value in sheet.colour)
    reach = sheet.edge.replace("v", f"({across})")
    still = _still(stage, (red, green, blue), sheet.pattern, f"{255 * opacity:.0f}*lt({along},{reach})")
    p = stage.present(rise, fall)
    tremor = f"+{1.2 * stage.unit:.2f}*sin(5*t)" if sheet.edge == FINGERS else ""
    place = f"x='{x.format(share=covered, p=p)}{tremor}':y='{y.format(share=covered, p=p)}'"
    soft = f"gblur=sigma={rng.uniform(0.5, 5) * stage.unit:.2f}:planes=8"
    return f"{still},{soft},noise=alls=3:allf=t[cover];[base][cover]overlay={place}:shortest=1"


def exposed(stage: Stage, rng: Random, gain: float) -> str:
    """The camera's exposure that answers: all light times `gain` after a while, and back after the end."""
    wait, takes = rng.uniform(0.2, 0.8), rng.uniform(0.5, 2.0)
    end = stage.end - stage.start
    q = f"({stage.risen(takes, after=wait)}-{stage.risen(takes, after=end + wait)})"
    return f"eq=contrast='1+{gain - 1:.3f}*{q}':brightness='{0.4392 * (gain - 1):.4f}*{q}':eval=frame"


def grown(stage: Stage, field: str, over: str, *, opacity: float, seconds: float, end: float) -> str:
    """What spreads over the lens where `field`, 0 to 255, is passed by a level that rises up to `end`, and is wiped.

    `over` is a filter chain from [base] to what is seen there.
    """
    level = f"({end:.3f}*sqrt(max(0,{stage.present(seconds, 0.4)})))"
    mask = (
        f"color=c=black:s={stage.width}x{stage.height}:r={stage.fps}:d={1 / stage.fps},format=gray,{field},"
        f"{stage.held},negate,"
        f"eq=brightness='{level}-1':eval=frame,lutyuv=y='clip(val*24,0,{255 * opacity:.0f})',"
        f"gblur=sigma={1.2 * stage.unit:.2f},format=gbrp[mask]"
    )
    return (
        f"{mask};[base]split[under][taken];[taken]{over},format=gbrp[paint];[under]format=gbrp[clean];"
        "[clean][paint][mask]maskedmerge"
    )


def _blots(stage: Stage, rng: Random, size: float) -> str:
    """Random hills and valleys over the whole range."""
    sigma = size * stage.unit
    return f"geq=lum='255*random({rng.randrange(8)})',gblur=sigma={sigma:.2f}:steps=3,normalize=smoothing=0,format=gray"


def _threads(stage: Stage, rng: Random) -> str:
    """A spider's threads and rings around a corner, the far ones last."""
    x, y = rng.choice((0.1, 0.9)), rng.choice((0.1, 0.9))
    far = f"hypot(X-{x}*W,Y-{y}*H)"
    spokes = f"lt(abs(sin(14*atan2(Y-{y}*H,X-{x}*W)))*{far},{28 * stage.unit:.1f})"
    rings = f"lt(abs(sin({far}/{7 * stage.unit:.2f})),0.45)"
    return f"geq=lum='if(gt({spokes}+{rings},0),20+190*{far}/hypot(W,H),255)'"


def _paint(colour: str) -> str:
    return f"drawbox=w=iw:h=ih:t=fill:c={colour},noise=alls=6:allf=t"


def _spray(stage: Stage, rng: Random) -> str:
    colour = rng.choice(("0x101012", "0xb02018", "0xd8d8d0", "0x205030"))
    return grown(stage, _blots(stage, rng, 9), _paint(colour), opacity=1.0, seconds=rng.uniform(1, 3), end=0.74)


def _web(stage: Stage, rng: Random) -> str:
    colour = rng.choice(("0xc8c8c4", "0x909088"))
    return grown(stage, _threads(stage, rng), _paint(colour), opacity=0.85, seconds=2.5, end=1.0)


def _drops(stage: Stage, rng: Random) -> str:
    over = f"vflip,gblur=sigma={9 * stage.unit:.1f},eq=brightness=0.06"
    return grown(stage, _blots(stage, rng, 13), over, opacity=1.0, seconds=rng.uniform(1, 3), end=0.74)


BLACK: Final = (20, 20, 22)
GREY: Final = (150, 150, 152)
WHITE: Final = (232, 230, 222)
BROWN: Final = (110, 78, 58)
GREEN: Final = (52, 92, 56)
SLOW_SECONDS: Final = 3.0

COVERS: Final = tuple(
    Manner("covered", name, filters)
    for name, filters in {
        "black board": lambda stage, rng: slid(stage, rng, Sheet(BLACK)),
        "grey card": lambda stage, rng: slid(stage, rng, Sheet(GREY)),
        "white paper": lambda stage, rng: slid(stage, rng, Sheet(WHITE)),
        "hand": lambda stage, rng: slid(stage, rng, Sheet(BROWN, SKIN, FINGERS)),
        "cloth": lambda stage, rng: slid(
            stage, rng, Sheet(rng.choice((GREEN, (90, 40, 44), (60, 66, 96))), FOLDS, WAVY)
        ),
        "woven": lambda stage, rng: slid(stage, rng, Sheet(rng.choice((GREY, GREEN, BROWN)), WEAVE)),
        "speckled board": lambda stage, rng: slid(stage, rng, Sheet(rng.choice((GREY, BROWN)), SPECKLED)),
        "in a moment": lambda stage, rng: slid(
            stage, rng, Sheet(rng.choice((BLACK, GREY, WHITE))), seconds=0.08, share=1.0
        ),
        "slow": lambda stage, rng: slid(
            stage, rng, Sheet(rng.choice((BLACK, GREY, WHITE, BROWN))), seconds=SLOW_SECONDS
        ),
        "film": lambda stage, rng: slid(stage, rng, Sheet(rng.choice((GREY, WHITE))), opacity=rng.uniform(0.7, 0.95)),
        "dark film": lambda stage, rng: slid(
            stage, rng, Sheet(rng.choice((BLACK, BROWN))), opacity=rng.uniform(0.7, 0.92)
        ),
        "dark, exposure answers": lambda stage, rng: (
            f"{slid(stage, rng, Sheet(rng.choice((BLACK, BROWN))))},{exposed(stage, rng, rng.uniform(1.6, 3))}"
        ),
        "bright, exposure answers": lambda stage, rng: (
            f"{slid(stage, rng, Sheet(rng.choice((GREY, WHITE))))},{exposed(stage, rng, rng.uniform(0.5, 0.75))}"
        ),
        "spray": _spray,
        "web": _web,
        "drops": _drops,
    }.items()
)
