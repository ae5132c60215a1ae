"""Pictures of every view, light and dark, wide and narrow, for people to look at: `make page-pictures`."""

import sys
import tempfile
from pathlib import Path
from typing import Final

from browser import Complaints, chromium, tab

from page.house import House, open_house
from page.views import VIEWS, furnish, show
from training.scenes.incidents import SHIPPED

FOOTAGE: Final = Path(__file__).resolve().parents[4] / "shared" / "data"
WIDTHS: Final = {"wide": (1440, 900), "narrow": (390, 844)}
ROOMS: Final = range(2, 8)
LONG_NAME: Final = ("كاميرا " * 19)[:128].strip()


def main() -> int:
    """Writes them into the folder that is named."""
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    complaints = Complaints()
    with tempfile.TemporaryDirectory() as folder, open_house(Path(folder), FOOTAGE) as house, chromium() as browser:
        people(house)
        places = furnish(house)
        for view in VIEWS:
            for scheme in ("light", "dark"):
                for name, (width, height) in WIDTHS.items():
                    with tab(browser, complaints, width=width, height=height, scheme=scheme) as page:
                        show(house, page, places, view)
                        path = out / f"{view}-{scheme}-{name}.png"
                        page.screenshot(path=path)
                        print(path, flush=True)
    complaints.check()
    return 0


def people(house: House) -> None:
    """More cameras: rooms, one of a long name, and one for each fault."""
    house.play("long", house.render("covered"), name=LONG_NAME, groups=["north"])
    for number in ROOMS:
        name = f"room{number:03}.mp4"
        (house.media / name).write_bytes((FOOTAGE / "rooms" / name).read_bytes())
        house.play(f"room-{number}", name, name=f"Room {number}", groups=["south"])
    for label in SHIPPED:
        house.play(
            label.replace("_", "-"), house.render(label), name=f"Demo: {label.replace('_', ' ')}", groups=["demo"]
        )


if __name__ == "__main__":
    sys.exit(main())
