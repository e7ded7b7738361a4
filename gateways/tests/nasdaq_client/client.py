"""Nasdaq's own client (PyPI nasdaq-protocols) trades against a server given by its port, and prints one JSON line for everything it sees.

usage: client.py PORT
"""
import asyncio
import json
import sys

from nasdaq_protocols import ouch
from nasdaq_protocols.common.message import (
    CharAscii, Field, FixedAsciiString, Record, UnsignedIntBE, UnsignedLongBE, UnsignedShortBE,
)

APP = 'ouch50'


class Message(ouch.Message, app_name=APP):
    def __init_subclass__(cls, **kwargs):
        kwargs['app_name'] = APP
        super().__init_subclass__(**kwargs)


class EnterOrder(Message, indicator=ord('O'), direction='incoming'):
    class BodyRecord(Record):
        Fields = [
            Field('user_ref', UnsignedIntBE), Field('side', CharAscii), Field('quantity', UnsignedIntBE),
            Field('symbol', FixedAsciiString(8)), Field('price', UnsignedLongBE), Field('time_in_force', CharAscii),
            Field('display', CharAscii), Field('capacity', CharAscii), Field('sweep', CharAscii),
            Field('cross_type', CharAscii), Field('cl_ord_id', FixedAsciiString(14)),
            Field('appendage_length', UnsignedShortBE),
        ]


class CancelOrder(Message, indicator=ord('X'), direction='incoming'):
    class BodyRecord(Record):
        Fields = [Field('user_ref', UnsignedIntBE), Field('quantity', UnsignedIntBE)]


class Accepted(Message, indicator=ord('A'), direction='outgoing'):
    class BodyRecord(Record):
        Fields = [
            Field('timestamp', UnsignedLongBE), Field('user_ref', UnsignedIntBE), Field('side', CharAscii),
            Field('quantity', UnsignedIntBE), Field('symbol', FixedAsciiString(8)), Field('price', UnsignedLongBE),
            Field('time_in_force', CharAscii), Field('display', CharAscii), Field('reference', UnsignedLongBE),
            Field('capacity', CharAscii), Field('sweep', CharAscii), Field('cross_type', CharAscii),
            Field('state', CharAscii), Field('cl_ord_id', FixedAsciiString(14)),
            Field('appendage_length', UnsignedShortBE),
        ]


class Executed(Message, indicator=ord('E'), direction='outgoing'):
    class BodyRecord(Record):
        Fields = [
            Field('timestamp', UnsignedLongBE), Field('user_ref', UnsignedIntBE), Field('quantity', UnsignedIntBE),
            Field('price', UnsignedLongBE), Field('liquidity', CharAscii), Field('match_number', UnsignedLongBE),
            Field('appendage_length', UnsignedShortBE),
        ]


class Canceled(Message, indicator=ord('C'), direction='outgoing'):
    class BodyRecord(Record):
        Fields = [
            Field('timestamp', UnsignedLongBE), Field('user_ref', UnsignedIntBE), Field('quantity', UnsignedIntBE),
            Field('reason', CharAscii),
        ]


class ClientSession(ouch.ClientSession):
    def decode(self, bytes_):
        return Message.from_bytes(bytes_)


def tell(what, **fields):
    print(json.dumps({'what': what, **fields}), flush=True)


async def connect(port, session, sequence, password='secret', closed=None):
    async def on_close():
        if closed:
            closed.set()

    client = await ouch.connect_async(
        ('127.0.0.1', port), 'trader', password, session, sequence=sequence,
        session_factory=lambda soup_session: ClientSession(soup_session, on_close_coro=on_close),
        client_heartbeat_interval=1, server_heartbeat_interval=15, connect_timeout=30)
    tell('login', session=client.soup_session.session_id.session, next=client.soup_session.sequence + 1)
    return client


async def receive(client, count):
    for _ in range(count):
        message = await asyncio.wait_for(client.receive_message(), 60)
        tell(type(message).__name__, **dict(message.record.values))


def enter(client, user_ref, side, quantity, price):
    order = EnterOrder()
    fields = dict(user_ref=user_ref, side=side, quantity=quantity, symbol='AAPL', price=price, time_in_force='0',
                  display='Y', capacity='P', sweep='N', cross_type='N', cl_ord_id=f'py{user_ref}', appendage_length=0)
    for name, value in fields.items():
        setattr(order, name, value)
    client.send_message(order)


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
    cancel = CancelOrder()
    cancel.user_ref, cancel.quantity = 2, 0
    client.send_message(cancel)
    await receive(client, 1)
    client.soup_session.logout()

    # From the first message, until the server ends the session.
    closed = asyncio.Event()
    client = await connect(port, 'DAY1', 1, closed=closed)
    await receive(client, 4)
    # Asks for the end of the day: the client of 1.3.0 hangs when a session ends before its login has returned.
    client.soup_session.send_debug('end of day')
    await asyncio.wait_for(closed.wait(), 60)
    tell('end of session')


asyncio.run(asyncio.wait_for(main(int(sys.argv[1])), 300))
