/** A run as one page: tables and plots, light or dark as the reader has it, with nothing that is asked for anywhere. */
import { outlooks } from './matrix/outlook.js'
import { distributionPlot, growthPlot, outlookPlot } from './plots.js'
import { figure, hostLine, quietnessLine, targetText } from './report.js'
import type { SavedReport, SavedSeries, SavedWorkload } from './saved-report.js'
import { type Estimate, quantile, showsDifference } from './statistics.js'

// The page's own policy: no script, no picture, no font, no connection.
const POLICY = "default-src 'none'; style-src 'unsafe-inline'"

const STYLE = `
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #59636e; --ground: #fff; --line: #d8dee4; --accent: #0b6e4f; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --quiet: #9198a1; --ground: #0d1117; --line: #30363d; --accent: #3fb98c; --bad: #ff8a80 } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 860px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.1rem; margin: 2.5rem 0 .2rem }
p { margin: .2rem 0 } .quiet { color: var(--quiet) } .missed, .warning { color: var(--bad) } .met { color: var(--accent) }
table { border-collapse: collapse; margin: .6rem 0; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid var(--line); vertical-align: top } th { color: var(--quiet); font-weight: 500 }
.figure { text-align: right; white-space: nowrap } svg { max-width: 100%; height: auto; color: var(--text) } nav a { color: inherit; margin-right: .8rem }
.wide { overflow-x: auto } .wide td, .wide th { white-space: nowrap } .wide td[colspan] { white-space: normal }
.wide td:first-child, .wide th:first-child { position: sticky; left: 0; background: var(--ground) } summary { color: var(--quiet) } dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem } dt { color: var(--quiet) } dd { margin: 0 }
`

/** The whole page. */
export function page(report: SavedReport): string {
  const { host, quietness, settings, workloads, targets } = report
  const warnings = [
    quietnessLine(quietness).trim(),
    settings.quick ? 'A quick run: few rounds and small sizes, no figures to quote.' : '',
    host.uid === 0 ? 'Measured as root.' : '',
  ].filter((warning) => warning !== '')
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">`,
    `<meta name="viewport" content="width=device-width"><title>wolffia bench</title><style>${STYLE}</style></head><body>`,
    `<h1>What isolation costs</h1><p class="quiet">${escaped(hostLine(host))} · ${escaped(host.takenAt)}</p>`,
    ...warnings.map((warning) => `<p class="warning">${escaped(warning)}</p>`),
    `<nav>${workloads.map(({ name }) => `<a href="#${escaped(name)}">${escaped(name)}</a>`).join(' ')}</nav>`,
    protectionSection(report),
    matrixSection(report),
    targetSection(report),
    ...(targets.length + report.matrix.length > 0 && workloads.length > 0 ? ['<h1>Measured</h1>'] : []),
    ...workloads.map(workloadSection),
    hostSection(report),
    '</body></html>\n',
  ].join('\n')
}

function protectionSection(report: SavedReport): string {
  const { protection } = report
  const aspects = protection.find(({ failure }) => failure === null)?.findings.map(({ aspect }) => aspect) ?? []
  if (aspects.length === 0) return ''
  const rows = protection.map(({ mode, setUpBy, findings, failure }) => {
    const cells = findings.map(
      ({ text, holds, detail }) =>
        `<td${holds === null ? '' : ` class="${holds ? 'met' : 'missed'}"`}${detail === undefined ? '' : ` title="${escaped(detail)}"`}>${escaped(text)}${holds === false ? ' !' : ''}</td>`,
    )
    const found = failure === null ? cells.join('') : `<td class="quiet" colspan="${aspects.length}">${escaped(failure)}</td>`
    return `<tr><td>${escaped(mode)}</td>${found}<td>${escaped(setUpBy)}</td></tr>`
  })
  return [
    '<h2>What a guest can reach, beside what its wall costs</h2>',
    '<p class="quiet">Found by the same guest behind each, and by the attacks of the corpus; ! where the host is within reach.</p>',
    outlookPlot(outlooks(report)),
    `<div class="wide"><table><tr><th></th>${aspects.map((aspect) => `<th>${escaped(aspect)}</th>`).join('')}<th>set up by</th></tr>`,
    ...rows,
    '</table></div>',
  ].join('\n')
}

function matrixSection({ workloads, matrix }: SavedReport): string {
  const columns = matrix.flatMap((name) => workloads.find((workload) => workload.name === name) ?? [])
  const [first] = columns
  if (first === undefined) return ''
  const heads = columns.map(
    ({ name, unit }) => `<th class="figure"><a href="#${escaped(name)}">${escaped(name)}</a>, ${escaped(unit)}</th>`,
  )
  const rows = first.series.map(({ name: mode }) => {
    const cells = columns.map(({ series }) => {
      const row = series.find(({ name }) => name === mode)
      if (row === undefined || row.median === null) return `<td class="figure quiet" title="${escaped(row?.failure ?? 'stopped')}">-</td>`
      return `<td class="figure">${figure(row.median.value)}</td>`
    })
    return `<tr><td>${escaped(mode)}</td>${cells.join('')}</tr>`
  })
  return `<h2>Medians</h2><div class="wide"><table><tr><th></th>${heads.join('')}</tr>${rows.join('')}</table></div>`
}

function targetSection({ targets }: SavedReport): string {
  if (targets.length === 0) return ''
  const rows = targets.map(
    (target) =>
      `<tr><td class="${target.outcome}">${escaped(target.outcome)}</td><td>${escaped(target.what)}</td><td>${escaped(targetText(target))}</td>${
        target.measured === null
          ? `<td colspan="2">${escaped(target.reason ?? '')}</td>`
          : `<td class="figure">${figure(target.measured.value)}</td><td class="figure">${span(target.measured)}</td>`
      }</tr>`,
  )
  return `<h2>Targets</h2><table><tr><th></th><th></th><th>target</th><th class="figure">measured</th><th class="figure">95 % interval</th></tr>${rows.join('')}</table>`
}

function workloadSection(workload: SavedWorkload): string {
  const { name, summary, unit, series, growth } = workload
  const base = series.find(({ samples }) => samples.length > 0)
  const grows = growth.map(
    ({ name: subject, axis, exponent }) =>
      `<p>${escaped(subject)} grows with the ${escaped(axis)} to the power of ${exponent.value.toFixed(2)} <span class="quiet">${span(exponent)}</span></p>`,
  )
  return [
    `<section id="${escaped(name)}"><h2>${escaped(name)}</h2><p class="quiet">${escaped(summary)}</p>`,
    growthPlot(workload),
    ...grows,
    distributionPlot(workload),
    `<table><tr><th></th><th class="figure">${escaped(unit)}</th><th class="figure">95 % interval</th><th class="figure">slowest</th><th></th></tr>`,
    ...series.map((row) => seriesRow(row, base?.name ?? '')),
    '</table></section>',
  ].join('\n')
}

function seriesRow({ name, samples, median, ratio, failure, outliers }: SavedSeries, base: string): string {
  if (median === null) return `<tr><td>${escaped(name)}</td><td colspan="4" class="quiet">${escaped(failure ?? 'stopped')}</td></tr>`
  const compared = ratio === null ? '' : showsDifference(ratio) ? `${figure(ratio.value)} × ${base}` : 'no difference shown'
  const notes = [compared, outliers > 0 ? `${outliers} of ${samples.length} far out` : '', failure ?? ''].filter((note) => note !== '')
  return `<tr><td>${escaped(name)}</td><td class="figure">${figure(median.value)}</td><td class="figure">${span(median)}</td><td class="figure">${figure(
    quantile(samples, 1),
  )}</td><td>${escaped(notes.join('; '))}</td></tr>`
}

function hostSection({ host, settings, quietness }: SavedReport): string {
  const facts: readonly (readonly [string, string])[] = [
    ['processor', `${host.cpu}, ${host.cpuCount} of them`],
    ['governor', host.governor ?? 'not told by this kernel'],
    ['memory', `${(host.memoryBytes / 2 ** 30).toFixed(1)} GiB`],
    ['kernel', host.kernel],
    ['Node', `${host.node}, V8 ${host.v8}`],
    ['others had', `${(100 * quietness.busy).toFixed(1)} % of the processors before the first round`],
    ['seed', String(settings.seed)],
    ['precision', settings.precision === null ? 'fixed rounds' : `until within ${(100 * settings.precision).toFixed(1)} %`],
    ...Object.entries(host.mitigations),
    ...Object.entries(host.programs).map(([program, version]) => [program, version ?? 'not installed'] as const),
  ]
  const list = facts.map(([name, text]) => `<dt>${escaped(name)}</dt><dd>${escaped(text)}</dd>`).join('')
  return `<details><summary>The host, and how it was measured</summary><dl>${list}</dl></details>`
}

function span({ low, high }: Estimate): string {
  return `${figure(low)} to ${figure(high)}`
}

/** Text as it may stand in HTML, in attributes too. */
function escaped(text: string): string {
  const names: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return text.replace(/[&<>"']/g, (character) => names[character] ?? character)
}
