//! Books and their statistics: events in, views out.

use crate::words::BookView;

/// What the book stage writes for one event.
#[derive(Debug)]
pub struct BookOutput {
    /// Whether this event completed a group, so that `view` was written. If not, `view` is stale memory.
    pub has_view: bool,
    /// The view.
    pub view: BookView,
}

impl BookOutput {
    /// Nothing written.
    pub fn vacant() -> Self {
        Self { has_view: false, view: BookView::vacant() }
    }

    /// The view, if there is one.
    #[inline]
    pub fn view(&self) -> Option<&BookView> {
        self.has_view.then_some(&self.view)
    }
}
