"""What runs beside the requests ends when it is told to, though a round swallows that once."""

import asyncio

import pytest

from controller import background


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_TOLD_EVERY_S", 0.01)


async def _swallows(times: int, told: list[int]) -> None:
    """Interrupted so often, it goes on as if nothing had been said."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append(1)
            if len(told) > times:
                raise


async def _told(times: int) -> tuple[int, bool]:
    told: list[int] = []
    task = asyncio.create_task(_swallows(times, told))
    await asyncio.sleep(0)
    await background._end([task])
    ended = task.done()
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    return len(told), ended


@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_task_is_told_until_it_ends(times: int) -> None:
    told, ended = asyncio.run(_told(times))
    assert (told, ended) == (times + 1, True)


def test_one_that_never_ends_is_given_up() -> None:
    assert asyncio.run(_told(100))[1] is False
