"""What was measured, as a table for people and as JSON for machines."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

OUT = Path(__file__).parent / "out" / "latest.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of ours, beside that of the reference where there is one."""

    name: str
    ours: float
    reference: float | None
    unit: str
    note: str

    @property
    def ratio(self) -> float | None:
        return round(self.ours / self.reference, 3) if self.reference else None


def show(rows: Sequence[Row]) -> None:
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  {'ours':>10} {'reference':>10} {'ratio':>7}  unit")
    for row in rows:
        reference = "-" if row.reference is None else f"{row.reference:,.1f}"
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        print(f"{row.name:{width}}  {row.ours:>10,.1f} {reference:>10} {ratio:>7}  {row.unit:<11} {row.note}")


def write(rows: Sequence[Row]) -> None:
    OUT.parent.mkdir(exist_ok=True)
    listed = [
        {
            "name": row.name,
            "ours": round(row.ours, 3),
            "reference": None if row.reference is None else round(row.reference, 3),
            "ratio": row.ratio,
            "unit": row.unit,
            "note": row.note,
        }
        for row in rows
    ]
    OUT.write_bytes(orjson.dumps(listed, option=orjson.OPT_INDENT_2) + b"\n")
