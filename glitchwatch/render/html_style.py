"""How the HTML report looks: one style sheet, light and dark, for screens and paper."""

STYLE = """
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --ink: #16191d; --soft: #59626e; --line: #d9dee5;
  --critical: #a4123f; --error: #d5401e; --warning: #b47800; --info: #1f6fb2; --ok: #1c7c3c; --blind: #7a5b00;
  --ok-bg: #e3f4e8; --fail-bg: #fde7e3; --blind-bg: #fff2cc; --curve-0: #1f6fb2; --curve-1: #d5401e;
  --curve-2: #1c7c3c; --curve-3: #7a3fb0; }
@media (prefers-color-scheme: dark) {
  :root { --bg: #111418; --card: #1a1f25; --ink: #e7eaee; --soft: #9aa5b1; --line: #323a44; --critical: #ff5c8a;
    --error: #ff7a59; --warning: #f0b429; --info: #66b2f0; --ok: #62c882; --blind: #f0c75e; --ok-bg: #16331f;
    --fail-bg: #43201b; --blind-bg: #3d3113; --curve-0: #66b2f0; --curve-1: #ff7a59; --curve-2: #62c882;
    --curve-3: #c49bf0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
header, footer { max-width: 72rem; margin: 0 auto; padding: 1rem 1rem 0; color: var(--soft); }
footer { padding-bottom: 2rem; }
h1 { font-size: 1.3rem; margin: 0; color: var(--ink); }
h2 { font-size: 1.15rem; margin: 0 0 .6rem; overflow-wrap: anywhere; }
h3 { font-size: .95rem; color: var(--soft); margin: 1.6rem 0 .5rem; overflow-wrap: anywhere; }
a { color: inherit; }
a:focus-visible, .scroll:focus-visible { outline: 2px solid var(--info); outline-offset: 2px; }
.report { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem;
  margin: 0 0 1.4rem; }
.verdict { font-weight: 650; border-radius: .4rem; padding: .55rem .8rem; margin: 0 0 .9rem; border-left: .35rem solid;
  overflow-wrap: anywhere; }
.verdict.ok { color: var(--ok); background: var(--ok-bg); }
.verdict.fail { color: var(--error); background: var(--fail-bg); }
.verdict.blind { color: var(--blind); background: var(--blind-bg); }
.tiles { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 .9rem; padding: 0; list-style: none; }
.tiles li { border: 1px solid var(--line); border-radius: .4rem; padding: .3rem .8rem; min-width: 6.2rem; color: var(--soft); }
.tiles b { display: block; font-size: 1.35rem; line-height: 1.2; color: var(--tone, var(--ink));
  font-variant-numeric: tabular-nums; }
.tiles .none { --tone: var(--soft); opacity: .6; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
svg { display: block; width: 100%; min-width: 44rem; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg text.name { fill: var(--ink); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .lane { fill: var(--bg); }
svg a:hover rect, svg a:focus rect { stroke: var(--ink); stroke-width: 1.5; }
.critical { --tone: var(--critical); } .error { --tone: var(--error); }
.warning { --tone: var(--warning); } .info { --tone: var(--info); }
svg .bar { fill: var(--tone); }
svg .shade { opacity: .18; }
svg .aside { fill: none; stroke: var(--tone); stroke-dasharray: 4 3; }
svg .curve { fill: none; stroke-width: 1.5; stroke-linejoin: round; }
svg .k0 { stroke: var(--curve-0); } svg .k1 { stroke: var(--curve-1); }
svg .k2 { stroke: var(--curve-2); } svg .k3 { stroke: var(--curve-3); }
svg .mean { stroke: var(--ink); stroke-dasharray: 6 4; stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .3rem 0 0; padding: 0; list-style: none;
  color: var(--soft); font-size: .85rem; }
.legend svg { display: inline-block; width: 22px; min-width: 0; height: 8px; margin-right: .4rem; vertical-align: middle; }
details { margin: 1.2rem 0 0; }
summary { cursor: pointer; color: var(--soft); font-weight: 600; font-size: .95rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; white-space: nowrap; padding-right: 1.1rem; }
td.t { white-space: nowrap; }
td small { display: block; color: var(--soft); overflow-wrap: anywhere; }
tr:target { background: var(--blind-bg); }
tr.suppressed { color: var(--soft); }
.badge { display: inline-block; border: 1px solid var(--tone); color: var(--tone); border-radius: 1rem; padding: 0 .55rem;
  font-size: .8rem; font-weight: 600; }
.badge.critical { background: var(--tone); color: var(--card); }
.suppressed .badge { background: none; color: inherit; border-color: var(--line); font-weight: 400; }
.unseen { color: var(--blind); font-weight: 600; }
.shots { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .8rem; }
figure { margin: 0; }
figure img { width: 100%; height: auto; display: block; border-radius: .3rem; border: 1px solid var(--line); background: #000; }
figcaption { font-size: .82rem; color: var(--soft); margin-top: .2rem; }
.note { color: var(--soft); font-size: .85rem; margin: .4rem 0 0; }
@media print { body { background: #fff; } .report { break-inside: auto; border: 0; padding: 0; } tr, figure { break-inside: avoid; } }
"""
