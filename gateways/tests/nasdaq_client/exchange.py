"""Nasdaq's own client (PyPI nasdaq-protocols) trades on the exchange server, loses the connection while it is filled, resumes by sequence, replays.

usage: exchange.py PORT
"""
import asyncio
import sys

from messages import cancel, connect, enter, receive, tell


async def main(port):
    client = await connect(port, '', 1)
    enter(client, 1, 'B', 100, 220_0000, 'AAAA')
    enter(client, 2, 'S', 50, 230_0000, 'AAAA')
    await receive(client, 3)
    client.soup_session._transport.abort()

    # Another account takes what stands there.
    other = await connect(port, '', 1, user='second')
    enter(other, 1, 'S', 60, 220_0000, 'AAAA')
    await receive(other, 3)
    other.soup_session.logout()

    # The fill of the meantime, nothing twice.
    client = await connect(port, 'SPINWARD', 4)
    await receive(client, 1)
    cancel(client, 2)
    await receive(client, 1)
    client.soup_session.logout()

    # Everything from the first message, then the end of the day.
    client = await connect(port, 'SPINWARD', 1)
    await receive(client, 5)
    tell('ready')
    await receive(client, 2)
    # The client of 1.3.0 may hang in its own close when End of Session comes close behind messages: its connection is looked at instead.
    while not client.soup_session._transport.is_closing():
        await asyncio.sleep(0.01)
    tell('closed')


asyncio.run(asyncio.wait_for(main(int(sys.argv[1])), 300))
