"""The sample: a small real git repository of Python files whose tests pass."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from rename_pipeline.errors import BadInputError

_FILES: Final = {
    ".gitignore": "__pycache__/\n",
    "README.md": "# shop\n\nCounts what is in a basket. Tests: `python -m unittest`.\n",
    "shop/__init__.py": '"""A shop."""\n',
    "shop/pricing.py": '''"""Prices, in cents."""

VAT = {"DE": 19, "CH": 8}


def total_price(items, country):
    """Return the total_price of `items` with tax."""
    net = sum(count * price for count, price in items)
    return net + net * VAT[country] // 100


def discounted(items, country, percent):
    """Return what is left of the price."""
    return total_price(items, country) * (100 - percent) // 100
''',
    "shop/basket.py": '''"""A basket."""

from shop.pricing import total_price


class Basket:
    """What somebody is about to buy."""

    def __init__(self, country="DE"):
        self.country = country
        self.items = []

    def add(self, count, price):
        """Put `count` pieces in."""
        self.items.append((count, price))

    def checkout(self):
        """Return what is to be paid."""
        return total_price(self.items, self.country)  # total_price includes tax
''',
    "shop/report.py": '''"""Reports for people."""

from shop import pricing


def receipt(basket):
    """Return one line to print."""
    return f"total: {pricing.total_price(basket.items, basket.country) / 100:.2f} ({len(basket.items)} items)"
''',
    "tests/__init__.py": "",
    "tests/test_shop.py": """import unittest

from shop.basket import Basket
from shop.pricing import discounted, total_price
from shop.report import receipt


class ShopTest(unittest.TestCase):
    def setUp(self):
        self.basket = Basket()
        self.basket.add(2, 500)
        self.basket.add(1, 1000)

    def test_price_has_tax(self):
        self.assertEqual(total_price(self.basket.items, "DE"), 2380)
        self.assertEqual(total_price(self.basket.items, "CH"), 2160)

    def test_discount(self):
        self.assertEqual(discounted(self.basket.items, "DE", 50), 1190)

    def test_checkout(self):
        self.assertEqual(self.basket.checkout(), 2380)

    def test_receipt(self):
        self.assertEqual(receipt(self.basket), "total: 23.80 (2 items)")
""",
}
_PERSON: Final = ("sample author", "sample@example.invalid")


def make_sample(folder: Path) -> str:
    """Make the repository in `folder`, which must be empty or not there, and return the sha of its commit.

    Raises:
        BadInputError: `folder` holds something.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInputError(f"{folder} is not empty")
    for name, text in _FILES.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    name, email = _PERSON
    # Nothing of the user's settings: the sample is the same for everybody.
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    for command in ("init --quiet --initial-branch main", "add .", "commit --quiet -m Begin", "rev-parse HEAD"):
        done = subprocess.run(
            ["git", *command.split()], cwd=folder, env=environment, capture_output=True, text=True, check=True
        )
    return done.stdout.strip()
