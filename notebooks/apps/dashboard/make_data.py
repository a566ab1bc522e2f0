"""Makes `sales.csv`: two years of weekly sales of a bakery that does not exist, the same ones every time."""

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

SHOPS = {"Harbour": 1.0, "Market": 1.4, "Station": 0.8}
ITEMS = {"bread": (3.8, 220), "croissant": (1.9, 310), "cake": (24.0, 18), "coffee": (2.7, 420)}
WEEKS = 104
FIRST = date(2024, 1, 1)


def rows() -> list[tuple[str, str, str, int, str]]:
    """Week (its Monday), shop, item, pieces sold, revenue in euros: a slow trend, the seasons, and chance."""
    chance = random.Random(7)
    found = []
    for week in range(WEEKS):
        season = 1 + 0.15 * math.sin(2 * math.pi * week / 52)
        for shop, size in SHOPS.items():
            for item, (price, usual) in ITEMS.items():
                sold = max(0, round(usual * size * season * (1 + week / 400) * chance.gauss(1, 0.08)))
                found.append(((FIRST + timedelta(weeks=week)).isoformat(), shop, item, sold, f"{sold * price:.2f}"))
    return found


def write(path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("week", "shop", "item", "sold", "revenue"))
        writer.writerows(rows())


if __name__ == "__main__":
    write(Path(__file__).with_name("sales.csv"))
