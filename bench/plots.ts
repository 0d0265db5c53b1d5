/** The plots of a page, drawn as SVG without a browser. They take the page's text colour, so that they fit light and dark. */
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { placeLabels } from './labels.js'
import type { Outlook } from './matrix/outlook.js'
import type { SavedWorkload } from './saved-report.js'

const WIDTH = 760
const ROW_HEIGHT = 26
const MARGINS = 84
/** A range of more than this is drawn logarithmic. */
const WIDE_RANGE = 20
const GROWTH_HEIGHT = 320
const OUTLOOK_HEIGHT = 420

const { document } = parseHTML('<!doctype html><html><body></body></html>')

/** Every sample of a workload's subjects as a tick, the median as a dot and its 95 % interval as a bar. Empty where nothing was measured. */
export function distributionPlot({ unit, series }: SavedWorkload): string {
  const measured = series.filter(({ samples }) => samples.some((value) => value > 0))
  if (measured.length === 0) return ''
  const samples = measured.flatMap(({ name, samples: values }) => values.map((value) => ({ name, value })))
  const medians = measured.flatMap(({ name, median }) => (median === null ? [] : [{ name, ...median }]))
  const values = samples.map(({ value }) => value).filter((value) => value > 0)
  const isWide = Math.max(...values) / Math.min(...values) > WIDE_RANGE
  return svg({
    width: WIDTH,
    height: MARGINS + ROW_HEIGHT * measured.length,
    marginLeft: 140,
    marginBottom: 44,
    x: { type: isWide ? 'log' : 'linear', ...(isWide ? {} : { zero: true }), grid: true, label: `${unit}${isWide ? ', logarithmic' : ''}` },
    y: { domain: measured.map(({ name }) => name), label: null },
    marks: [
      Plot.tickX(
        samples.filter(({ value }) => !isWide || value > 0),
        { x: 'value', y: 'name', strokeOpacity: 0.25, inset: 4 },
      ),
      Plot.ruleY(medians, { x1: 'low', x2: 'high', y: 'name', stroke: 'var(--accent)', strokeWidth: 5, strokeOpacity: 0.55 }),
      Plot.dot(medians, { x: 'value', y: 'name', fill: 'var(--accent)', r: 4 }),
    ],
  })
}

/** Medians over sizes, both logarithmic, a line for each subject. Empty for a workload without sizes. */
export function growthPlot({ unit, series, growth }: SavedWorkload): string {
  if (growth.length === 0) return ''
  const points = growth.flatMap(({ name, sizes }) =>
    sizes.flatMap((size) => {
      const median = series.find((candidate) => candidate.name === `${name}@${size}`)?.median
      return median === null || median === undefined ? [] : [{ name, size, ...median }]
    }),
  )
  const last = growth.flatMap(({ name }) => points.filter((point) => point.name === name).slice(-1))
  return svg({
    width: WIDTH,
    height: GROWTH_HEIGHT,
    marginLeft: 70,
    marginBottom: 44,
    marginRight: 130,
    x: { type: 'log', label: growth[0]?.axis ?? '', grid: true },
    y: { type: 'log', label: unit, grid: true },
    color: { scheme: 'Observable10' },
    marks: [
      Plot.ruleX(points, { x: 'size', y1: 'low', y2: 'high', stroke: 'name', strokeWidth: 3, strokeOpacity: 0.5 }),
      Plot.lineY(points, { x: 'size', y: 'value', stroke: 'name' }),
      Plot.dot(points, { x: 'size', y: 'value', fill: 'name' }),
      Plot.text(last, { x: 'size', y: 'value', text: 'name', dx: 8, textAnchor: 'start' }),
    ],
  })
}

/** Cost against isolation: modes by what a start costs and by the part of the aspects in which the host is out of reach. */
export function outlookPlot(outlooks: readonly Outlook[]): string {
  if (outlooks.length === 0) return ''
  const points = outlooks.map(({ mode, startMs, held, asked }) => ({ name: mode, startMs, part: (100 * held) / asked }))
  const starts = points.map(({ startMs }) => startMs)
  // Names are laid out by pixels, so the scales are said and not left to the library.
  const x = { type: 'log', domain: [Math.min(...starts) * 0.8, Math.max(...starts) * 1.25], range: [60, WIDTH - 20] } as const
  const y = { domain: [0, 100], range: [OUTLOOK_HEIGHT - 60, 40] } as const
  const scales = { x: Plot.scale({ x }), y: Plot.scale({ y }) }
  const dots = points.map(({ name, startMs, part }) => ({ name, x: scales.x.apply(startMs), y: scales.y.apply(part) }))
  const names = placeLabels(dots, WIDTH).map((label) => ({
    ...label,
    startMs: scales.x.invert?.(label.x),
    part: scales.y.invert?.(label.y),
    nameMs: scales.x.invert?.(label.labelX),
    nearMs: scales.x.invert?.(label.nearX),
    namePart: scales.y.invert?.(label.labelY),
  }))
  const moved = names.filter(({ y: dot, labelY }) => labelY !== dot)
  return svg({
    width: WIDTH,
    height: OUTLOOK_HEIGHT,
    marginBottom: 44,
    x: { ...x, label: 'start to exit, ms, logarithmic', grid: true },
    y: { ...y, label: 'aspects that hold, %', grid: true },
    marks: [
      Plot.link(moved, { x1: 'startMs', y1: 'part', x2: 'nearMs', y2: 'namePart', strokeOpacity: 0.35 }),
      Plot.dot(points, { x: 'startMs', y: 'part', fill: 'var(--accent)', r: 5 }),
      Plot.text(names, { x: 'nameMs', y: 'namePart', text: 'name', textAnchor: 'start' }),
    ],
  })
}

// What a page gives its plots and a picture must bring along.
const PICTURE_STYLE =
  '<style>svg { --accent: #0b6e4f; color: #1b1f24; font-family: sans-serif } @media (prefers-color-scheme: dark) { svg { --accent: #3fb98c; color: #e6edf3 } }</style>'

/** A plot as a file of its own, which needs no page around it. */
export function picture(plot: string): string {
  const named = /^<svg[^>]* xmlns=/.test(plot) ? plot : plot.replace(/^<svg/, '<svg xmlns="http://www.w3.org/2000/svg"')
  return `${named.replace('style="background:none;color:inherit;', 'style="background:none;').replace(/^(<svg[^>]*>)/, `$1${PICTURE_STYLE}`)}\n`
}

function svg(options: Plot.PlotOptions): string {
  const style = { background: 'none', color: 'inherit', fontFamily: 'inherit', fontSize: '12px' }
  return Plot.plot({ ...options, style, document: document as unknown as NonNullable<Plot.PlotOptions['document']> }).outerHTML
}
