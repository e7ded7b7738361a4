//! The trading state and its latch: one machine, one owner. Every gate of the system asks here.

use crate::words::{Command, CommandKind, Nanos, Symbol, TradingState};

/// The owner that may always resume.
pub const OPERATOR: Symbol = named(b"operator");

/// The owner of halts that risk decides itself.
pub const RISK: Symbol = named(b"risk");

/// The owner of what an order gateway says of its venue. Its `SetState` is a state of its own beside the operator's: the stricter of both holds, and
/// neither lifts the other.
pub const GATEWAY: Symbol = named(b"gateway");

const fn named(name: &[u8]) -> Symbol {
    let mut bytes = [0u8; Symbol::MAX_BYTES];
    let mut at = 0;
    while at < name.len() && at < bytes.len() {
        bytes[at] = name[at];
        at += 1;
    }
    Symbol::from_stored(bytes)
}

/// Why trading is halted, and who may resume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Latch {
    /// The kill as it came. Given in again as a frame, it halts a later session in the same way.
    pub command: Command,
    /// Receive time of the frame that halted.
    pub since: Nanos,
    /// Another owner killed as well while it was halted: only `operator` can resume.
    pub shared: bool,
}

impl Latch {
    /// Who halted.
    pub fn owner(&self) -> Symbol {
        self.command.owner
    }

    /// Why.
    pub fn reason(&self) -> &str {
        self.command.reason()
    }
}

/// What a command has to lead to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Nothing more.
    Obeyed,
    /// Every open order is to be cancelled.
    CancelAll,
    /// Refused; nothing changed.
    Refused,
}

/// The machine.
#[derive(Debug)]
pub(super) struct Trading {
    state: TradingState,
    /// What the venue allows.
    venue: TradingState,
    latch: Option<Latch>,
}

impl Trading {
    pub(super) const fn new() -> Self {
        Self { state: TradingState::Normal, venue: TradingState::Normal, latch: None }
    }

    /// Own state, what the venue allows, latch: all that there is.
    pub(super) fn parts(&self) -> (TradingState, TradingState, Option<&Latch>) {
        let Self { state, venue, latch } = self;
        (*state, *venue, latch.as_ref())
    }

    /// Of these parts.
    pub(super) const fn of(state: TradingState, venue: TradingState, latch: Option<Latch>) -> Self {
        Self { state, venue, latch }
    }

    #[inline]
    pub(super) fn state(&self) -> TradingState {
        // Ascending by strictness.
        self.state.max(self.venue)
    }

    pub(super) fn latch(&self) -> Option<&Latch> {
        self.latch.as_ref()
    }

    /// Halts. The first kill owns the latch.
    pub(super) fn kill(&mut self, command: &Command, now: Nanos) {
        self.state = TradingState::Halted;
        match &mut self.latch {
            Some(latch) => latch.shared |= latch.command.owner != command.owner,
            None => self.latch = Some(Latch { command: *command, since: now, shared: false }),
        }
    }

    pub(super) fn on_command(&mut self, command: &Command, now: Nanos) -> Effect {
        let Some(kind) = command.kind() else { return Effect::Refused };
        match kind {
            CommandKind::Kill => {
                self.kill(command, now);
                Effect::CancelAll
            }
            CommandKind::CancelAll => Effect::CancelAll,
            CommandKind::Resume => {
                let allowed = self.latch.as_ref().is_none_or(|latch| {
                    command.owner == OPERATOR || (command.owner == latch.command.owner && !latch.shared)
                });
                if !allowed {
                    return Effect::Refused;
                }
                self.state = TradingState::Normal;
                self.latch = None;
                Effect::Obeyed
            }
            CommandKind::SetState => match (TradingState::from_number(command.state_number), self.state) {
                (None, _) => Effect::Refused,
                (Some(TradingState::Halted), _) => {
                    // The safe direction is never refused: as a kill.
                    self.kill(command, now);
                    Effect::CancelAll
                }
                (Some(state), _) if command.owner == GATEWAY => {
                    self.venue = state;
                    Effect::Obeyed
                }
                (Some(_), TradingState::Halted) => Effect::Refused,
                (Some(state), TradingState::Normal | TradingState::ReduceOnly | TradingState::CancelOnly) => {
                    self.state = state;
                    Effect::Obeyed
                }
            },
        }
    }
}
