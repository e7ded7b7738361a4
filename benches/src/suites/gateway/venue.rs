//! A gateway that is logged in at a venue in memory, which rejects every order when it is asked to.

use crate::error::LabError;
use spinward_engine::risk::ApprovedOrder;
use spinward_engine::words::{InstrumentTable, Nanos};
use spinward_gateways::itch50::{Be16, Be32, Be64};
use spinward_gateways::ouch::{
    Carried, GatewayState, LimitRule, LimiterConfig, OuchAction, OuchConfig, OuchGateway,
};
use spinward_gateways::ouch50::{
    AccountQueryResponse, Appendage, ClOrdId, EnableOrderEntryResponse, Outbound, RejectReason, Rejected,
};
use spinward_gateways::soup::{Alpha, ClientConfig, LoginAccepted, Numeric, Packet};

/// Bytes of an order's packet at most, and orders between two visits of the venue.
const ORDER_BYTES: usize = 128;
const ORDERS_MAX: usize = 4_096;

/// Where a packet of SoupBinTCP with an order has the order's number.
const NUMBER_AT: usize = 4;

/// The gateway, and what it has sent since the last visit.
pub(super) struct Desk {
    gateway: OuchGateway,
    sent: Vec<([u8; ORDER_BYTES], usize)>,
    now: Nanos,
}

impl Desk {
    /// Logs in and reads the venue's stream, which is empty.
    pub(super) fn open(table: &InstrumentTable) -> Result<Self, LabError> {
        let (user, password) = Alpha::new("trader")
            .zip(Alpha::new("secret"))
            .ok_or_else(|| LabError::failed("the name of the account was refused"))?;
        let rule = LimitRule::Bucket { per_second: 1_000_000, burst: 1_000_000 };
        let config = OuchConfig {
            limiter: LimiterConfig { rule, reserve: 100 },
            ..OuchConfig::new(ClientConfig::new(user, password), Nanos::ZERO)
        };
        let gateway = OuchGateway::new(&config, table, Carried::default()).map_err(LabError::failed)?;
        let mut desk = Self { gateway, sent: Vec::with_capacity(ORDERS_MAX), now: Nanos::from_secs(1) };
        let Self { gateway, sent, now } = &mut desk;
        gateway.start(*now, &mut |action| keep(sent, &action));
        gateway.on_connected(*now, &mut |action| keep(sent, &action));
        let accepted = LoginAccepted {
            session: Alpha::new("BENCH").unwrap_or_default(),
            sequence: Numeric::new(1).unwrap_or(Numeric::BLANK),
        };
        desk.tell(&Packet::LoginAccepted(&accepted));
        desk.say(Outbound::from(&AccountQueryResponse {
            timestamp: Be64::new(0),
            next_user_ref: Be32::new(1),
        }));
        let marker = desk.sent.last().and_then(|(bytes, _)| bytes.get(NUMBER_AT..NUMBER_AT + 4));
        let marker = marker.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map_or(0, u32::from_be_bytes);
        desk.say(Outbound::from(&EnableOrderEntryResponse {
            timestamp: Be64::new(0),
            user_ref: Be32::new(marker),
            firm: Default::default(),
        }));
        desk.sent.clear();
        if desk.gateway.state() == GatewayState::Ready {
            Ok(desk)
        } else {
            Err(LabError::failed(format!("the gateway is {:?}", desk.gateway.state())))
        }
    }

    /// An order of risk, to bytes.
    #[inline]
    pub(super) fn submit(&mut self, order: &ApprovedOrder) {
        let Self { gateway, sent, .. } = self;
        gateway.submit(order.decided(), order, &mut |action| keep(sent, &action));
    }

    /// Packets since the last visit.
    pub(super) fn sent(&self) -> impl Iterator<Item = &[u8]> {
        self.sent.iter().map(|(bytes, length)| bytes.get(..*length).unwrap_or_default())
    }

    /// The venue rejects all that was sent, which must be so many.
    pub(super) fn settle(&mut self, orders: usize) -> Result<(), LabError> {
        let sent = std::mem::replace(&mut self.sent, Vec::with_capacity(ORDERS_MAX));
        if sent.len() != orders {
            return Err(LabError::failed(format!("{} of {orders} orders left the gateway", sent.len())));
        }
        for (bytes, _) in &sent {
            let number = bytes.get(NUMBER_AT..NUMBER_AT + 4).and_then(|it| <[u8; 4]>::try_from(it).ok());
            self.say(Outbound::from(&Rejected {
                timestamp: Be64::new(0),
                user_ref: Be32::new(number.map_or(0, u32::from_be_bytes)),
                // Our fault, not the venue's, which would open the breaker.
                reason: Be16::new(RejectReason::FatFinger.code()),
                cl_ord_id: ClOrdId::from_bytes([b' '; 14]),
            }));
        }
        self.sent.clear();
        Ok(())
    }

    fn say(&mut self, message: Outbound<'_>) {
        let mut bytes = [0; ORDER_BYTES];
        let length = message.encode(Appendage::ABSENT, &mut bytes);
        self.tell(&Packet::Sequenced(bytes.get(..length).unwrap_or_default()));
    }

    fn tell(&mut self, packet: &Packet<'_>) {
        let mut bytes = [0; ORDER_BYTES];
        let length = packet.encode(&mut bytes);
        let Self { gateway, sent, now } = self;
        gateway.on_bytes(*now, bytes.get(..length).unwrap_or_default(), &mut |action| keep(sent, &action));
    }
}

/// As a socket would take it: copied.
#[inline]
fn keep(sent: &mut Vec<([u8; ORDER_BYTES], usize)>, action: &OuchAction<'_>) {
    if let OuchAction::Send(bytes) = action {
        let mut packet = [0; ORDER_BYTES];
        if let Some(to) = packet.get_mut(..bytes.len()) {
            to.copy_from_slice(bytes);
        }
        sent.push((packet, bytes.len()));
    }
}
