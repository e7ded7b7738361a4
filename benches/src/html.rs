//! stub
use crate::artefact::Artefact;
/// page
pub fn page(runs: &[Artefact]) -> String {
    format!("{}", runs.len())
}
