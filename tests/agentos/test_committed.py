"""What runs on the real versions have left in the repository speaks of this map, and of every version."""

from __future__ import annotations

import re
from pathlib import Path

from tests.agentos.hosts import HERE, VERSIONS
from tests.agentos.points import points

TABLE = Path(__file__).parents[2] / "docs" / "agentos-points.md"


def test_the_comparison_with_each_real_version_found_no_difference() -> None:
    lines = (HERE / "comparison.txt").read_text().splitlines()
    found = [re.fullmatch(r"(\S+): \d+ points, \d+ facts, 0 differences", line) for line in lines]
    assert [match and match[1] for match in found] == list(VERSIONS)


def test_the_table_has_each_point_of_the_map_and_each_version_and_each_has_fired_or_is_lacking() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.read_text().splitlines()
            if line.startswith("| ")]  # fmt: skip
    assert rows[0] == ["point", *VERSIONS]
    assert [row[0].strip("`") for row in rows[1:]] == points()
    assert {cell for row in rows[1:] for cell in row[1:]} <= {"fired", "lacks it"}
