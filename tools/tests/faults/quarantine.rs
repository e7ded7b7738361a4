//! A loss that concerns some symbols: no order leaves for a symbol in quarantine but one that makes a position smaller (risk lets those pass whatever happens), and the
//! others trade on.

use crate::books::Books;
use crate::floor::{Floor, agree, executions, summary_of};
use crate::matrix::{QUICK, busy_exchange, interrupt, settle, start, until};
use crate::setup::latest;
use spinward_engine::normalizer::MessageMeta;
use spinward_engine::words::{Action, FrameKind, InstrumentId, Report, ReportKind, Side, SourceId, Verdict};
use spinward_gateways::notice::Notice;
use spinward_recorder::{AuditReader, AuditRecord, JournalReader, SessionFolder};
use std::collections::{BTreeMap, BTreeSet};

/// What a session's files say of orders while books were in quarantine.
#[derive(Default, Debug)]
struct Found {
    losses: u64,
    /// Times that symbols were named as concerned, and that the others were released.
    concerned: u64,
    unconcerned: u64,
    /// Orders to enter or replace that risk passed for a symbol in quarantine though they make no position smaller.
    passed: Vec<String>,
    /// … that do.
    reducing: u64,
    /// … that it refused.
    refused: u64,
    /// … that it passed for another symbol meanwhile.
    others: u64,
}

/// Who is in quarantine, by the notices of the stream alone.
#[derive(Default)]
struct Quarantine {
    is_all: bool,
    locates: BTreeSet<u16>,
}

impl Quarantine {
    fn on(&mut self, notice: Notice) {
        match notice {
            Notice::Lost { .. } | Notice::SnapshotBegin => {
                self.is_all = true;
                self.locates.clear();
            }
            Notice::SnapshotEnd { .. } => self.is_all = false,
            Notice::Concerned { locate } | Notice::SymbolBegin { locate } => {
                self.locates.insert(locate);
            }
            Notice::Unconcerned { .. } => self.is_all = false,
            Notice::SymbolEnd { locate, .. } => {
                self.locates.remove(&locate);
            }
            Notice::Malformed { .. } | Notice::EndOfSession { .. } => {}
        }
    }

    fn has(&self, books: &Books, instrument: InstrumentId) -> bool {
        self.is_all || self.locates.iter().any(|locate| books.located(*locate) == Some(instrument))
    }
}

/// Walks over journal and audit together: quarantine as the notices have it, orders as the verdicts of the same frames.
fn look(folder: &SessionFolder) -> Found {
    let mut verdicts: BTreeMap<u64, Vec<Verdict>> = BTreeMap::new();
    let mut audit = AuditReader::open(&folder.audit()).unwrap();
    while let Some(record) = audit.next().unwrap() {
        if let AuditRecord::Verdict { frame, verdict, .. } = record {
            verdicts.entry(frame).or_default().push(verdict);
        }
    }
    let mut found = Found::default();
    let (mut books, mut quarantine) = (Books::new(), Quarantine::default());
    let mut positions: BTreeMap<(u16, InstrumentId), i64> = BTreeMap::new();
    let mut journal = JournalReader::open(&folder.journal()).unwrap();
    while let Some(frame) = journal.next().unwrap() {
        if frame.kind() == Some(FrameKind::Market) {
            let (receive_time, source) = (frame.receive_time, SourceId::new(0));
            books.message(&MessageMeta { frame: frame.sequence, receive_time, source }, frame.payload);
            let notice = Notice::is_one(frame.payload).then(|| Notice::parse(frame.payload).unwrap());
            if let Some(notice) = notice {
                quarantine.on(notice);
                found.losses += u64::from(matches!(notice, Notice::Lost { .. }));
                found.concerned += u64::from(matches!(notice, Notice::Concerned { .. }));
                found.unconcerned += u64::from(matches!(notice, Notice::Unconcerned { .. }));
            }
        }
        if frame.kind() == Some(FrameKind::Report) {
            let report: Report = bytemuck::pod_read_unaligned(frame.payload);
            if report.kind() == Some(ReportKind::Filled) {
                let sign = report.side().unwrap().sign();
                *positions.entry((report.order.strategy().get(), report.instrument)).or_default() +=
                    sign * report.qty.lots();
            }
        }
        for verdict in verdicts.remove(&frame.sequence).unwrap_or_default() {
            let is_order =
                matches!(Action::from_number(verdict.action_number), Some(Action::New | Action::Replace));
            if !is_order {
                continue;
            }
            let is_held = quarantine.has(&books, verdict.instrument);
            let is_partial = !quarantine.is_all && !quarantine.locates.is_empty();
            match (is_held, verdict.is_approved()) {
                (true, true) if reduces(&positions, &verdict) => found.reducing += 1,
                (true, true) => found.passed.push(format!("frame {}: {verdict:?}", frame.sequence)),
                (true, false) => found.refused += 1,
                (false, true) if is_partial => found.others += 1,
                (false, _) => {}
            }
        }
    }
    found
}

fn reduces(positions: &BTreeMap<(u16, InstrumentId), i64>, verdict: &Verdict) -> bool {
    let held = positions.get(&(verdict.strategy.get(), verdict.instrument)).copied().unwrap_or(0);
    let wanted =
        if verdict.side_number == Side::Buy as u8 { verdict.qty.lots() } else { -verdict.qty.lots() };
    held.signum() == -wanted.signum() && wanted.abs() <= held.abs()
}

#[test]
fn no_order_leaves_for_a_symbol_in_quarantine_and_other_symbols_trade_on() {
    let mut config = busy_exchange(5);
    // Even activity, so that packets of some symbols are lost while others have as much to do.
    if let Some(flow) = &mut config.core.participants {
        (flow.zipf_quarters, flow.burst) = (0, 2);
    }
    let floor = Floor::with(config, &QUICK);
    let mut session = start(&floor, &[]);
    until(&floor, &mut session, "it trades", |state, _| executions(state) > 0);
    // Nobody has what is lost, and snapshots take their time.
    for line in ["stop r", "slow-snapshots 400ms"] {
        floor.exchange.control(line).unwrap();
    }
    let name = "spinward_feed_notices_total{kind=\"lost_message\"}";
    for _ in 0..8 {
        let lost = session.scrape().value(name);
        floor.exchange.control("drop both 1").unwrap();
        until(&floor, &mut session, "the loss is told", |_, scrape| scrape.value(name) > lost);
        std::thread::park_timeout(std::time::Duration::from_millis(600));
    }
    floor.exchange.control("faults off").unwrap();
    let (state, _) = settle(&floor, &mut session);
    let summary = summary_of(interrupt(session), 0);
    agree(&floor.exchange.ask().unwrap(), "trader", &summary);
    let folder = latest(&floor.program).unwrap();
    let resting = Books::of(&folder).compare(&state).unwrap();
    let found = look(&folder);
    println!(
        "{} losses, {} symbols concerned, {} releases of the others; in quarantine {} orders refused, {} passed that reduce and {} others; {} of other symbols meanwhile; books equal over {resting} orders",
        found.losses,
        found.concerned,
        found.unconcerned,
        found.refused,
        found.reducing,
        found.passed.len(),
        found.others
    );
    assert!(found.passed.is_empty(), "{:?}", found.passed);
    assert!(found.losses >= 4 && found.concerned > 0 && found.unconcerned >= 4, "{found:?}");
    assert!(found.others > 20, "the others did not trade: {found:?}");
}
