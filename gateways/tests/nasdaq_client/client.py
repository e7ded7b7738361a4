"""Nasdaq's own client (PyPI nasdaq-protocols) trades against a server given by its port, and prints one JSON line for everything it sees.

usage: client.py PORT
"""
import asyncio
import sys

from messages import cancel, connect, enter, receive, tell


async def main(port):
    for session, password in (('', 'wrong'), ('OTHER', 'secret')):
        try:
            await connect(port, session, 1, password)
            tell('accepted by mistake')
        except ConnectionRefusedError as refused:
            tell('refused', why=str(refused))

    # Trade, then lose the connection.
    client = await connect(port, '', 1)
    enter(client, 1, 'B', 100, 1_892_500)
    enter(client, 2, 'S', 50, 1_893_000)
    await receive(client, 2)
    client.soup_session._transport.abort()

    # Resume by sequence: the fill of the meantime, nothing twice.
    client = await connect(port, 'DAY1', 3)
    await receive(client, 1)
    cancel(client, 2)
    await receive(client, 1)
    client.soup_session.logout()

    # From the first message, until the server ends the session.
    client = await connect(port, 'DAY1', 1)
    await receive(client, 4)
    # Asks for the end of the day: the client of 1.3.0 hangs when a session ends before its login has returned.
    client.soup_session.send_debug('end of day')
    # It may also hang in its own close: its connection is looked at instead.
    while not client.soup_session._transport.is_closing():
        await asyncio.sleep(0.01)
    tell('end of session')


asyncio.run(asyncio.wait_for(main(int(sys.argv[1])), 300))
