use super::*;
use crate::samples::artefact;
use crate::suites::{CurvePoint, Knee};

#[test]
fn the_page_refers_to_nothing_outside_of_itself() {
    let page = page(&[artefact(400), artefact(480)]);
    for word in ["http:", "https:", "//", "@import", "url(", "<script", "src=", "<link rel=\"stylesheet"] {
        assert!(!page.contains(word), "{word}");
    }
    let hrefs = page.matches("href=\"").count();
    assert_eq!(hrefs, page.matches("href=\"#").count() + page.matches("href=\"data:,\"").count());
}

#[test]
fn text_of_the_artefact_cannot_become_markup() {
    let page = page(&[artefact(400)]);
    assert!(page.contains("a &lt;fast&gt; one") && !page.contains("<fast>"));
}

#[test]
fn the_last_run_of_a_suite_is_compared_with_the_earlier_ones() {
    let mut other = artefact(900);
    other.suite = "risk".to_owned();
    let page = page(&[artefact(400), other, artefact(480)]);
    assert_eq!(page.matches("<section").count(), 2);
    assert_eq!(page.matches("<h3>Since").count(), 1);
    assert!(page.contains("<td class=\"slower\" title=\"p50 SLOWER\">+"));
    let mut config = artefact(400);
    config.config.insert("market".to_owned(), "full".to_owned());
    assert!(
        super::page(&[config, artefact(400)]).contains("Not comparable: config.market was full, is hot.")
    );
}

#[test]
fn percentiles_reach_five_nines_on_a_labelled_axis() {
    let page = page(&[artefact(400)]);
    for label in ["99.999 %", ">percentile<", ">latency<", "1 µs", "10 ns"] {
        assert!(page.contains(label), "{label}");
    }
    assert!(page.contains("floor: hiccups"));
}

#[test]
fn a_control_is_dashed_in_the_colour_of_what_is_held_against_it_and_nothing_runs_beyond_the_axis() {
    let mut run = artefact(400);
    run.metrics[0].distribution.push((0.999_999, 77_000_000_000));
    let page = page(&[run]);
    let stroke = |class: &str, name: &str| {
        let lines: Vec<&str> =
            page.lines().filter(|line| line.contains(&format!("<title>{name}</title>"))).collect();
        lines
            .iter()
            .any(|line| line.contains(&format!("<polyline class=\"{class}\" style=\"stroke:var(--c0)\"")))
    };
    assert!(stroke("line", "hot") && stroke("line dashed", "naive"));
    assert!(!page.contains("100 s"), "the axis is not stretched by what lies beyond 99.999 %");
}

#[test]
fn a_sweep_has_its_curve_and_its_knee() {
    let mut run = artefact(400);
    let figures = run.metrics[0].total;
    run.curve = [100_000, 200_000].map(|offered| CurvePoint { offered, achieved: offered, figures }).to_vec();
    run.knee = Some(Knee { rate: 200_000, beyond: "not reached".to_owned() });
    let page = page(&[run]);
    assert!(page.contains("achieved, million frames/s") && page.contains("200\u{202f}000 frames/s"));
}
