//! Plots and bars as inline SVG.

use super::{escape, put};
use std::fmt::Write;

/// How values lie on an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// One axis.
pub(super) struct Axis {
    pub(super) label: String,
    pub(super) scale: Scale,
    /// `None`: what the points need.
    pub(super) range: Option<(f64, f64)>,
    /// `None`: chosen by the range; of a logarithmic axis they are times.
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// How a line is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stroke {
    Plain,
    Dashed,
    /// Without a colour of its own.
    Faint,
}

/// One line.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) stroke: Stroke,
    /// Number of its colour.
    pub(super) colour: usize,
    pub(super) has_dots: bool,
    pub(super) points: Vec<(f64, f64)>,
}

/// Lines over two axes.
pub(super) struct Plot {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    /// A line across at this x.
    pub(super) mark: Option<(f64, String)>,
}

const WIDTH: f64 = 920.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 46.0;

/// Where values lie in the picture.
struct Mapped {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Mapped {
    fn new(axis: &Axis, values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let found = values.filter(|value| axis.scale == Scale::Linear || *value > 0.0);
        let (mut low, mut high) = axis.range.unwrap_or_else(|| {
            found.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
        });
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if axis.range.is_none() {
            match axis.scale {
                // Whole halves of decades, so that a line does not run along the frame.
                Scale::Log => {
                    low = 10f64.powf((low.log10() * 2.0).floor() / 2.0);
                    high = 10f64.powf((high.log10() * 2.0 + 0.01).ceil() / 2.0);
                }
                Scale::Linear => (low, high) = (0.0, high * 1.04),
            }
        }
        if high <= low {
            high = low + 1.0;
        }
        Self { scale: axis.scale, low, high, from, to }
    }

    fn at(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Log => {
                let first = self.low.log10().ceil() as i32;
                let last = self.high.log10().floor() as i32;
                let steps: &[f64] = if last - first < 2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                (first - 1..=last)
                    .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
                    .filter(|value| (self.low * 0.999..=self.high * 1.001).contains(value))
                    .map(|value| (value, time(value)))
                    .collect()
            }
            Scale::Linear => {
                let rough = (self.high - self.low) / 6.0;
                let power = 10f64.powf(rough.log10().floor());
                let step = [1.0, 2.0, 5.0, 10.0]
                    .into_iter()
                    .map(|step| step * power)
                    .find(|step| *step >= rough)
                    .unwrap_or(power);
                let decimals = (-step.log10().floor()).max(0.0) as usize;
                let count = ((self.high - self.low) / step).floor() as u32;
                (0..=count)
                    .map(|index| self.low + f64::from(index) * step)
                    .map(|value| (value, format!("{value:.decimals$}")))
                    .collect()
            }
        }
    }
}

/// A round number of nanoseconds in the unit that reads best.
fn time(nanos: f64) -> String {
    let (value, unit) = match nanos {
        ..1e3 => (nanos, "ns"),
        1e3..1e6 => (nanos / 1e3, "µs"),
        1e6..1e9 => (nanos / 1e6, "ms"),
        _ => (nanos / 1e9, "s"),
    };
    let digits = usize::from(value < 10.0 && (value - value.round()).abs() > 0.05);
    format!("{value:.digits$} {unit}")
}

impl Plot {
    /// Draws it with its legend.
    pub(super) fn draw(&self, page: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        let points = || self.lines.iter().flat_map(|line| line.points.iter());
        let marked = self.mark.iter().map(|(at, _)| *at);
        let x = Mapped::new(&self.x, points().map(|point| point.0).chain(marked), LEFT, right);
        let y = Mapped::new(&self.y, points().map(|point| point.1), bottom, TOP);
        put!(page, "<figure><figcaption>{}</figcaption>\n", escape(&self.title));
        put!(
            page,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
            escape(&self.title)
        );
        for (value, text) in self.x.ticks.clone().unwrap_or_else(|| x.ticks()) {
            let at = x.at(value);
            put!(page, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
            let under = bottom + 18.0;
            put!(page, "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{}</text>\n", escape(&text));
        }
        for (value, text) in self.y.ticks.clone().unwrap_or_else(|| y.ticks()) {
            let at = y.at(value);
            put!(page, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>");
            let (beside, middle) = (LEFT - 8.0, at + 4.0);
            put!(
                page,
                "<text x=\"{beside}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\n",
                escape(&text)
            );
        }
        put!(page, "<line class=\"frame\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
        put!(page, "<line class=\"frame\" x1=\"{LEFT}\" x2=\"{LEFT}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\n");
        let (middle, low) = ((LEFT + right) / 2.0, HEIGHT - 6.0);
        put!(
            page,
            "<text class=\"axis\" x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">{}</text>",
            escape(&self.x.label)
        );
        let height = (TOP + bottom) / 2.0;
        put!(
            page,
            "<text class=\"axis\" transform=\"translate(14 {height}) rotate(-90)\" text-anchor=\"middle\">{}</text>\n",
            escape(&self.y.label)
        );
        if let Some((at, text)) = &self.mark {
            let at = x.at(*at);
            put!(page, "<line class=\"knee\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
            let (beside, high) = (at - 5.0, TOP + 12.0);
            put!(
                page,
                "<text class=\"axis\" x=\"{beside:.1}\" y=\"{high}\" text-anchor=\"end\">{}</text>\n",
                escape(text)
            );
        }
        for line in &self.lines {
            let colour = line.colour();
            let dashed = if line.stroke == Stroke::Dashed { " dashed" } else { "" };
            put!(page, "<polyline class=\"line{dashed}\" style=\"stroke:{colour}\" points=\"");
            for (at, value) in &line.points {
                put!(page, "{:.1},{:.1} ", x.at(*at), y.at(*value));
            }
            put!(page, "\"><title>{}</title></polyline>\n", escape(&line.name));
            for (at, value) in line.points.iter().filter(|_| line.has_dots) {
                let (cx, cy) = (x.at(*at), y.at(*value));
                put!(page, "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"2.6\" style=\"fill:{colour}\"/>");
            }
        }
        page.push_str("</svg>\n<ul class=\"legend\">");
        for line in &self.lines {
            let colour = line.colour();
            let dashed = if line.stroke == Stroke::Dashed { " class=\"dashed\"" } else { "" };
            put!(page, "<li><i{dashed} style=\"color:{colour}\"></i>{}</li>", escape(&line.name));
        }
        page.push_str("</ul></figure>\n");
    }
}

impl Line {
    fn colour(&self) -> String {
        match self.stroke {
            Stroke::Plain | Stroke::Dashed => format!("var(--c{})", self.colour % 8),
            Stroke::Faint => "var(--faint)".to_owned(),
        }
    }
}

/// One bar: the median filled, out to the 99th percentile in steps, the control's median as a tick.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) control: Option<f64>,
}

/// Draws bars over one logarithmic axis of time.
pub(super) fn bars(page: &mut String, title: &str, rows: &[Bar]) {
    if rows.is_empty() {
        return;
    }
    let axis = Axis { label: String::new(), scale: Scale::Log, range: None, ticks: None };
    let left = 170.0;
    let height = TOP + rows.len() as f64 * 24.0 + 40.0;
    let bottom = height - 40.0;
    let values = rows.iter().flat_map(|row| [row.p50 / 2.0, row.p99].into_iter().chain(row.control));
    let x = Mapped::new(&axis, values, left, WIDTH - RIGHT);
    put!(page, "<figure><figcaption>{}</figcaption>\n", escape(title));
    put!(page, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(title));
    for (value, text) in x.ticks() {
        let (at, under) = (x.at(value), bottom + 18.0);
        put!(page, "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>");
        put!(page, "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{}</text>\n", escape(&text));
    }
    let (middle, low) = ((left + WIDTH - RIGHT) / 2.0, height - 4.0);
    put!(page, "<text class=\"axis\" x=\"{middle}\" y=\"{low}\" text-anchor=\"middle\">latency</text>\n");
    for (index, row) in rows.iter().enumerate() {
        let top = TOP + index as f64 * 24.0 + 4.0;
        let (beside, line) = (left - 8.0, top + 12.0);
        put!(
            page,
            "<text class=\"axis\" x=\"{beside}\" y=\"{line}\" text-anchor=\"end\">{}</text>",
            escape(&row.name)
        );
        for (value, opacity) in [(row.p99, 0.22), (row.p90, 0.4), (row.p50, 1.0)] {
            let width = (x.at(value) - left).max(1.0);
            put!(
                page,
                "<rect x=\"{left}\" y=\"{top}\" width=\"{width:.1}\" height=\"16\" rx=\"2\" style=\"fill:var(--c0);opacity:{opacity}\"/>"
            );
        }
        if let Some(control) = row.control {
            let (at, above, below) = (x.at(control), top - 2.0, top + 18.0);
            put!(
                page,
                "<line x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{above}\" y2=\"{below}\" style=\"stroke:var(--c1);stroke-width:2.5\"/>"
            );
        }
        page.push('\n');
    }
    page.push_str("</svg>\n<ul class=\"legend\"><li><i style=\"color:var(--c0)\"></i>median</li><li><i style=\"color:var(--c0);opacity:.4\"></i>90 %</li><li><i style=\"color:var(--c0);opacity:.22\"></i>99 %</li><li><i style=\"color:var(--c1)\"></i>median of the straight call (control)</li></ul></figure>\n");
}
