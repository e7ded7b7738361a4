//! A refusal by risk as the report that tells the strategy of it.

use spinward_engine::words::{Action, Report, ReportKind, Verdict};

/// What the strategy will hear of a refusal that was decided on this frame.
pub(crate) fn report(verdict: &Verdict, frame: u64) -> Report {
    let kind = match Action::from_number(verdict.action_number) {
        Some(Action::Cancel) => ReportKind::CancelRejected,
        Some(Action::Replace) => ReportKind::ReplaceRejected,
        Some(Action::New) | None => ReportKind::Rejected,
    };
    Report {
        order: verdict.order,
        new_order: verdict.new_order,
        price: verdict.price,
        qty: verdict.qty,
        cause_frame: frame,
        value: verdict.value,
        instrument: verdict.instrument,
        code_number: verdict.code_number,
        kind_number: kind as u8,
        side_number: verdict.side_number,
        flags: Report::FROM_RISK,
        ..Report::default()
    }
}
