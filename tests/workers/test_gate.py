"""The gate: side by side, or alone, in the order of coming."""

import asyncio

from workers.gate import Gate


async def test_who_is_alone_has_nobody_beside_and_is_not_passed_by() -> None:
    gate, inside, most, order = Gate(), set[str](), dict[str, int](), list[str]()

    async def enter(name: str) -> None:
        way = gate.alone() if name.startswith("alone") else gate.beside_others()
        async with way:
            order.append(name)
            inside.add(name)
            for _ in range(3):
                await asyncio.sleep(0)
                for one in inside:
                    most[one] = max(most.get(one, 0), len(inside))
            inside.remove(name)

    names = ["a", "b", "c", "alone 1", "d", "e", "alone 2", "alone 3", "f"]
    await asyncio.gather(*map(enter, names))
    assert order == names
    assert {name: most[name] for name in names if name.startswith("alone")} == dict.fromkeys(
        ("alone 1", "alone 2", "alone 3"), 1
    )
    assert most["a"] == 3 and most["d"] == 2


async def test_an_error_inside_leaves_the_gate_open() -> None:
    gate = Gate()
    for way in (gate.beside_others, gate.alone, gate.beside_others):
        try:
            async with way():
                raise ValueError
        except ValueError:
            pass
    async with asyncio.timeout(1), gate.alone():
        pass
