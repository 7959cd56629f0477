"""Turns go round those who wait for them."""

import asyncio

from fer_keras.server.turns import Turns


async def use(turns, peer, name, order):
    async with turns.turn(peer):
        order.append(name)
        await asyncio.sleep(0)


async def begun(turns, names, order):
    """Return tasks that wait for turns; the first letter of each name is its peer."""
    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(use(turns, name[0], name, order)))
        await asyncio.sleep(0)
    return tasks


def test_no_peer_waits_for_all_requests_of_another():
    async def run():
        turns, order = Turns(1), []
        async with turns.turn("a"):
            tasks = await begun(turns, ["a1", "a2", "a3", "b1", "b2", "c1"], order)
        await asyncio.gather(*tasks)
        return turns.free, turns.waiting, order

    assert asyncio.run(run()) == (1, {}, ["a1", "b1", "c1", "a2", "b2", "a3"])


def test_turns_at_a_time():
    async def run():
        turns, order = Turns(2), []
        async with turns.turn("a"):
            await asyncio.gather(*await begun(turns, ["a1", "b1"], order))
        return turns.free, order

    assert asyncio.run(run()) == (2, ["a1", "b1"])


def test_who_leaves_gives_the_turn_to_the_next():
    async def run():
        turns, order = Turns(1), []
        async with turns.turn("a"):
            waiting, called, last = await begun(turns, ["a1", "b1", "c1"], order)
            waiting.cancel()
            await asyncio.sleep(0)
        called.cancel()  # its turn has come, and it has not begun
        await last
        return turns.free, turns.waiting, order

    assert asyncio.run(run()) == (1, {}, ["c1"])
