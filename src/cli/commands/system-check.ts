import type { CheckReport, Damage } from '../../engine/check.js'
import type { CliCommand } from '../command.js'
import { humanSize, printable, Style } from '../output.js'

/** `wolffia system check`: whether all that is kept is whole, and what mends it. Ends with 1 when something is damaged, or is so still. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('--repair', 'make anew what can be, remove what is nobody’s, and say what only a fresh copy of an image mends')
      .option('--json', 'print what was found as JSON')
      .option('--format <template>', 'json, or a Go template: {{.Whole}} {{range .Damages}}{{.Path}} {{end}}')
  },
  async run(_positional, { repair, json, format, debug }) {
    const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
    const text = format === undefined || format === '' ? null : String(format)
    const template =
      text === null ? null : inspectTemplate(text === 'json' ? '{{json .}}' : text, { command: 'system check', debug: debug === true })
    if (text !== null && template === null) return TEMPLATE_EXIT_CODE
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const report = await engine.check({ repair: repair === true })
    if (json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    else process.stdout.write(template === null ? page(report, { repair: repair === true }) : template(capitalised(report) as object))
    return report.whole ? 0 : 1
  },
}

function page({ home, whole, damages, checked }: CheckReport, { repair }: { readonly repair: boolean }): string {
  const style = new Style(process.stdout)
  const lines = damages.flatMap(({ path, problem, images, remedy, repaired }) => [
    `${repaired ? style.green('mended ') : style.red('damaged')} ${style.bold(printable(path))} ${printable(problem)}`,
    ...(images.length === 0 ? [] : [`        needed by ${printable(images.join(', '))}`]),
    ...(remedy === null ? [] : [`        ${style.yellow(printable(remedy))}`]),
  ])
  const counts = `${count(checked.images, 'image')}, ${count(checked.files, 'file')} of ${humanSize(checked.bytes)}, ${count(checked.layers, 'layer')}, ${count(checked.trees, 'tree')}, ${count(checked.containers, 'container')}`
  const left = damages.filter(({ repaired }) => !repaired)
  const mendable = !repair && damages.some(mendsItself)
  return [
    ...lines,
    `Checked in ${home}: ${counts}`,
    whole ? 'Everything is whole.' : `${left.length} of it ${left.length === 1 ? 'is' : 'are'} damaged.`,
    ...(mendable ? ['wolffia system check --repair mends what needs nothing from elsewhere.'] : []),
    '',
  ].join('\n')
}

function mendsItself({ remedy, repaired }: Damage): boolean {
  return remedy === null && !repaired
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** As templates name things: the same, with members in capitals. */
function capitalised(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(capitalised)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [`${name.charAt(0).toUpperCase()}${name.slice(1)}`, capitalised(member)]),
  )
}
