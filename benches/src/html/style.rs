//! The look, in light and dark. Colours of the lines are told apart by most colour-blind readers (after Okabe & Ito 2008).

pub(super) const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5d6878; --page: #fbfbf9; --card: #ffffff; --rule: #dfe2e8; --good: #00775a; --bad: #b83a1c;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b0569a; --c4: #b98900; --c5: #3ba3d8; --c6: #7a5cc0; --c7: #5d6878; --faint: #a6adb8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ee; --soft: #9aa5b4; --page: #14181e; --card: #1b2028; --rule: #303843; --good: #3cc79c; --bad: #ff8a66;
    --c0: #5aaee6; --c1: #ff9248; --c2: #2cc79a; --c3: #e08cc8; --c4: #ecc14a; --c5: #8fd0f2; --c6: #ac94ee; --c7: #9aa5b4; --faint: #5d6878; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; margin: 0 0 2px; }
h3 { font-size: 16px; margin: 24px 0 6px; }
nav a { display: inline-block; margin: 0 10px 4px 0; color: var(--c0); text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 20px 22px; margin: 22px 0; }
.lead, .where, .note { color: var(--soft); margin: 2px 0 12px; }
.where, .note { font-size: 13px; }
.skipped, .flag { font-size: 14px; color: var(--bad); margin: 2px 0; }
figure { margin: 14px 0 6px; }
figcaption { font-weight: 600; margin-bottom: 4px; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: var(--soft); }
svg .axis { fill: var(--ink); }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .frame { stroke: var(--faint); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 5 3; }
svg .knee { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 3; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 13px; color: var(--soft); margin: 4px 0 10px; padding: 0; list-style: none; }
.legend i { display: inline-block; width: 18px; height: 3px; border-radius: 2px; margin-right: 6px; vertical-align: middle; background: currentColor; }
.legend i.dashed { background: repeating-linear-gradient(90deg, currentColor 0 5px, transparent 5px 8px); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 6px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.ratio { text-align: left; color: var(--soft); white-space: normal; min-width: 130px; font-size: 12px; } td.ratio strong { color: var(--ink); font-size: 13px; }
td:first-child { white-space: normal; min-width: 190px; } small { color: var(--soft); font-weight: 400; }
tr.control td, tr.floor td { color: var(--soft); }
td.faster { color: var(--good); } td.slower { color: var(--bad); font-weight: 600; } td.noise { color: var(--soft); }
details { margin-top: 14px; font-size: 13px; } summary { cursor: pointer; color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
";
