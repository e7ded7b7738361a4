"""OUCH 5.0 as Nasdaq's own client (PyPI nasdaq-protocols) is told of it, and what the scripts do with it; one JSON line for everything seen."""
import asyncio
import json

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


class SystemEvent(Message, indicator=ord('S'), direction='outgoing'):
    class BodyRecord(Record):
        Fields = [Field('timestamp', UnsignedLongBE), Field('event', CharAscii)]


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


async def connect(port, session, sequence, password='secret', user='trader'):
    client = await ouch.connect_async(
        ('127.0.0.1', port), user, password, session, sequence=sequence,
        session_factory=ClientSession,
        client_heartbeat_interval=1, server_heartbeat_interval=15, connect_timeout=30)
    tell('login', session=client.soup_session.session_id.session, next=client.soup_session.sequence + 1)
    return client


async def receive(client, count):
    for _ in range(count):
        message = await asyncio.wait_for(client.receive_message(), 60)
        tell(type(message).__name__, **dict(message.record.values))


def enter(client, user_ref, side, quantity, price, symbol='AAPL'):
    order = EnterOrder()
    fields = dict(user_ref=user_ref, side=side, quantity=quantity, symbol=symbol, price=price, time_in_force='0',
                  display='Y', capacity='P', sweep='N', cross_type='N', cl_ord_id=f'py{user_ref}', appendage_length=0)
    for name, value in fields.items():
        setattr(order, name, value)
    client.send_message(order)


def cancel(client, user_ref):
    order = CancelOrder()
    order.user_ref, order.quantity = user_ref, 0
    client.send_message(order)
