//! The codes as closed sets. A field keeps its byte, so that a message goes out as it came in; whoever decides on it asks `from_code`
//! once, and has an answer for a code that is none.

macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident: $repr:ty { $( $(#[$code_doc:meta])* $code:ident = $value:literal, )* } )*) => {
        $(
            $(#[$doc])*
            #[repr($repr)]
            #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
            pub enum $name { $( $(#[$code_doc])* $code = $value, )* }

            impl $name {
                /// Every one.
                pub const ALL: &[$name] = &[$( $name::$code, )*];

                /// As it stands in the field; `None` if there is no such code.
                pub const fn from_code(code: $repr) -> Option<Self> {
                    match code {
                        $( $value => Some(Self::$code), )*
                        _ => None,
                    }
                }

                /// For the field.
                pub const fn code(self) -> $repr {
                    self as $repr
                }
            }
        )*
    };
}

codes! {
    /// Side of an order.
    SideCode: u8 {
        /// Buy.
        Buy = b'B',
        /// Sell what is owned.
        Sell = b'S',
        /// Sell short.
        SellShort = b'T',
        /// Sell short, exempt from the price test.
        SellShortExempt = b'E',
    }

    /// How long an order lives.
    TimeInForce: u8 {
        /// Until the close.
        Day = b'0',
        /// Immediate or cancel.
        ImmediateOrCancel = b'3',
        /// Extended hours.
        GoodTillExtended = b'5',
        /// Until the time in [`super::Option50::ExpireTime`].
        GoodTillTime = b'6',
        /// After hours.
        AfterHours = b'E',
    }

    /// Who sees an order.
    Display: u8 {
        /// Everyone.
        Visible = b'Y',
        /// Nobody.
        Hidden = b'N',
        /// Everyone, with the firm's name.
        Attributable = b'A',
        /// Comes back only: conformant.
        Conformant = b'Z',
    }

    /// For whom the firm trades.
    Capacity: u8 {
        /// A customer.
        Agency = b'A',
        /// Itself.
        Principal = b'P',
        /// A customer, by a trade of its own.
        RisklessPrincipal = b'R',
        /// None of these.
        Other = b'O',
    }

    /// The cross an order takes part in.
    CrossType: u8 {
        /// None: continuous trading.
        Continuous = b'N',
        /// The opening.
        Opening = b'O',
        /// The close.
        Closing = b'C',
        /// After a halt, or of an IPO.
        HaltIpo = b'H',
        /// Supplemental.
        Supplemental = b'S',
        /// Retail (BX).
        Retail = b'R',
        /// Extended life.
        ExtendedLife = b'E',
        /// The close after hours.
        AfterHoursClose = b'A',
    }

    /// Whether an accepted order lives.
    OrderState: u8 {
        /// It does.
        Live = b'L',
        /// It was accepted and canceled at once; there will be no further message.
        Dead = b'D',
    }

    /// System Event's codes.
    EventCode: u8 {
        /// Orders are accepted from now on.
        StartOfDay = b'S',
        /// No more orders; breaks and cancels may still come.
        EndOfDay = b'E',
    }

    /// Why shares were taken off.
    CancelReason: u8 {
        /// A regulation forbids the execution.
        Regulatory = b'D',
        /// Day order after the closing cross.
        Closed = b'E',
        /// Post-only that would have been slid for the national market.
        PostOnlyNational = b'F',
        /// Post-only that would have been slid for a displayed order.
        PostOnlyDisplayed = b'G',
        /// On-open order in a symbol that stayed halted.
        Halted = b'H',
        /// Immediate or cancel.
        Immediate = b'I',
        /// Outside of the market collars.
        Collars = b'K',
        /// Would have traded with an order of the same owner.
        SelfMatchPrevention = b'Q',
        /// By the venue's staff.
        Supervisory = b'S',
        /// Its time was up.
        Timeout = b'T',
        /// Asked for by Cancel Order.
        User = b'U',
        /// Beyond the opening price protection.
        OpenProtection = b'X',
        /// By the system.
        System = b'Z',
        /// A direct listing's order exceeds what is allowed.
        ExceedsAllowable = b'e',
    }

    /// What an execution did to liquidity; decides the fee.
    LiquidityFlag: u8 {
        /// Added.
        Added = b'A',
        /// Removed.
        Removed = b'R',
        /// Opening cross.
        OpeningCross = b'O',
        /// Opening cross, imbalance only.
        OpeningImbalance = b'M',
        /// Closing cross.
        ClosingCross = b'C',
        /// Closing cross, imbalance only.
        ClosingImbalance = b'L',
        /// Close after hours.
        AfterHoursClose = b'i',
        /// Halt cross.
        HaltCross = b'K',
        /// Halt or IPO cross.
        HaltIpoCross = b'H',
        /// Added without display.
        NonDisplayAdded = b'J',
        /// Added by the reserve without display.
        ReserveAdded = b'u',
        /// Added at the midpoint.
        MidpointAdded = b'k',
        /// Removed at the midpoint.
        MidpointRemoved = b'm',
        /// Midpoint, passive.
        MidpointPassive = b'N',
        /// Midpoint, extended life.
        MidpointExtendedLife = b'n',
        /// Supplemental order.
        Supplemental = b'0',
        /// Retail, added with display.
        RetailAdded = b'e',
        /// Added with display, improving the national best.
        ImprovesNational = b'7',
        /// Added with display, setting the venue's best while joining the national one.
        SetsVenueBest = b'8',
        /// Retail price improvement, provided (BX).
        RetailImprovement = b'j',
        /// Retail price improvement, provided without an indicator (BX).
        RetailImprovementPlain = b'1',
        /// Removed price-improving hidden liquidity (BX).
        RemovedHidden = b'p',
        /// Retail order, removed midpoint liquidity (BX).
        RetailRemovedMidpoint = b'q',
        /// Retail order, removed retail price improvement (BX).
        RetailRemovedImprovement = b'r',
        /// Retail order, removed other hidden liquidity (BX).
        RetailRemovedHidden = b't',
    }

    /// Why a trade was broken.
    BrokenTradeReason: u8 {
        /// Clearly erroneous.
        Erroneous = b'E',
        /// Both sides agreed.
        Consent = b'C',
        /// By the venue's staff.
        Supervisory = b'S',
        /// By another party.
        External = b'X',
    }

    /// Why an order was restated.
    RestatedReason: u8 {
        /// The display of a reserve order was refreshed.
        Refresh = b'R',
        /// The displayed price changed.
        DisplayedPrice = b'P',
    }

    /// How an order is kept from trading with its owner's.
    AiqStrategy: u8 {
        /// Cancel the older, same MPID.
        CancelOldestMpid = b'O',
        /// Cancel the newer, same MPID.
        CancelNewestMpid = b'W',
        /// Take the smaller's shares off both, same MPID.
        DecrementMpid = b'D',
        /// The same without details.
        DecrementMpidSilent = b'Y',
        /// Cancel the older, same organisation.
        CancelOldestOrganization = b'o',
        /// Cancel the newer, same organisation.
        CancelNewestOrganization = b'w',
        /// Take the smaller's shares off both, same organisation.
        DecrementOrganization = b'd',
        /// The same without details.
        DecrementOrganizationSilent = b'y',
    }

    /// What a price is pegged to.
    PriceType: u8 {
        /// Nothing: a limit.
        Limit = b'L',
        /// The other side of the national best.
        MarketPeg = b'P',
        /// The midpoint.
        MidpointPeg = b'M',
        /// The same side of the national best.
        PrimaryPeg = b'R',
        /// A market maker's distance.
        MarketMakerPeg = b'Q',
        /// The midpoint at entry.
        Midpoint = b'm',
    }

    /// Whether an order may take.
    PostOnly: u8 {
        /// It may not.
        PostOnly = b'P',
        /// It may.
        No = b'N',
    }

    /// Whose order it is.
    CustomerType: u8 {
        /// A retail customer's.
        Retail = b'R',
        /// Not.
        NotRetail = b'N',
        /// The port's default.
        PortDefault = b' ',
    }

    /// Why an order was rejected.
    RejectReason: u16 {
        /// No quote.
        QuoteUnavailable = 0x0001,
        /// The destination is closed.
        DestinationClosed = 0x0002,
        /// No such display.
        InvalidDisplay = 0x0003,
        /// No such floor.
        InvalidMaxFloor = 0x0004,
        /// No such peg.
        InvalidPegType = 0x0005,
        /// Fat finger.
        FatFinger = 0x0006,
        /// The symbol is halted.
        Halted = 0x0007,
        /// No sweeps here.
        SweepNotAllowed = 0x0008,
        /// No such side.
        InvalidSide = 0x0009,
        /// Could not be processed.
        ProcessingError = 0x000A,
        /// A cancel is pending.
        CancelPending = 0x000B,
        /// Not this firm.
        FirmNotAuthorized = 0x000C,
        /// No such minimum.
        InvalidMinQuantity = 0x000D,
        /// No closing reference price.
        NoClosingReference = 0x000E,
        /// Another reason.
        Other = 0x000F,
        /// It cannot be canceled.
        CancelNotAllowed = 0x0010,
        /// No pegs here.
        PeggingNotAllowed = 0x0011,
        /// The market is crossed.
        CrossedMarket = 0x0012,
        /// No such quantity.
        InvalidQuantity = 0x0013,
        /// No such order for a cross.
        InvalidCrossOrder = 0x0014,
        /// It cannot be replaced.
        ReplaceNotAllowed = 0x0015,
        /// No routing here.
        RoutingNotAllowed = 0x0016,
        /// No such symbol.
        InvalidSymbol = 0x0017,
        /// In test.
        Test = 0x0018,
        /// A late limit-on-close that is too aggressive.
        LateLimitOnClose = 0x0019,
        /// No retail orders here.
        RetailNotAllowed = 0x001A,
        /// No such midpoint order.
        InvalidMidpoint = 0x001B,
        /// No such destination.
        InvalidDestination = 0x001C,
        /// No such price.
        InvalidPrice = 0x001D,
        /// More shares than the threshold.
        SharesExceedThreshold = 0x001E,
        /// More money than the maximum.
        MaximumNotional = 0x001F,
        /// Risk: aggregate exposure.
        RiskAggregateExposure = 0x0020,
        /// Risk: market impact.
        RiskMarketImpact = 0x0021,
        /// Risk: restricted stock.
        RiskRestrictedStock = 0x0022,
        /// Risk: short sales are restricted.
        RiskShortSellRestricted = 0x0023,
        /// Risk: no sweeps.
        RiskSweepNotAllowed = 0x0024,
        /// Risk: over the average daily volume limit.
        RiskDailyVolume = 0x0025,
        /// Risk: fat finger.
        RiskFatFinger = 0x0026,
        /// Risk: a locate is required.
        RiskLocateRequired = 0x0027,
        /// Risk: too many messages in the symbol.
        RiskSymbolMessageRate = 0x0028,
        /// Risk: too many messages on the port.
        RiskPortMessageRate = 0x0029,
        /// Risk: too many equal messages.
        RiskDuplicateMessageRate = 0x002A,
        /// Risk: no short sales.
        RiskShortSellNotAllowed = 0x002B,
        /// Risk: no market orders.
        RiskMarketOrderNotAllowed = 0x002C,
        /// Risk: not before the open.
        RiskPreMarketNotAllowed = 0x002D,
        /// Risk: not after the close.
        RiskPostMarketNotAllowed = 0x002E,
        /// Risk: no exempt short sales.
        RiskShortExemptNotAllowed = 0x002F,
        /// Risk: too much money in one order.
        RiskOrderNotional = 0x0030,
        /// Risk: too many shares.
        RiskMaxQuantity = 0x0031,
        /// The short sale state is not known.
        RegShoStateUnavailable = 0x0032,
        /// Risk: no market buys in an IPO.
        RiskIpoMarketBuy = 0x0033,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_from_its_byte_and_others_are_none() {
        for flag in LiquidityFlag::ALL {
            assert_eq!(LiquidityFlag::from_code(flag.code()), Some(*flag));
        }
        for reason in RejectReason::ALL {
            assert_eq!(RejectReason::from_code(reason.code()), Some(*reason));
        }
        assert_eq!((RejectReason::ALL.len(), RejectReason::from_code(0)), (0x33, None));
        assert_eq!(SideCode::from_code(b'U'), None);
        let known = (0..=255).filter(|byte| CancelReason::from_code(*byte).is_some()).count();
        assert_eq!(known, CancelReason::ALL.len());
    }
}
