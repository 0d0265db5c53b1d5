import type { ContainerSummary } from '../../container/container.js'
import type { Engine } from '../../engine/engine.js'
import type { CliCommand } from '../command.js'
import { CONTAINER_FILTERS, filterContainers, sizeOf, specOf, wantsAll } from '../container-filter.js'
import { containerForm, type ListedContainer, SIZE_FIELDS, SPEC_FIELDS } from '../container-form.js'
import { addFilterFlag, parseFilters } from '../filter.js'
import { isTemplate, listText } from '../format.js'
import { UsageError } from '../report.js'

/** `wolffia ps`: containers in a table, newest first. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('-a, --all', 'also those that have ended or not started')
    addFilterFlag(parser, CONTAINER_FILTERS)
    parser
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.ID}} {{.Names}}')
      .option('-n, --last <n>', 'the newest n, whether they run or not')
      .option('-l, --latest', 'the newest, whether it runs or not')
      .option('--no-trunc', 'whole ids and commands')
      .option('-q, --quiet', 'ids only')
      .option('-s, --size', 'what each has written, and that with its image')
  },
  async run(_positional, { all, quiet, trunc, filter, format, last, latest, size }) {
    const filters = parseFilters(filter, CONTAINER_FILTERS)
    const most = latest === true ? 1 : countOf(last)
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const listed = await engine.containers.list({ all: all === true || most !== null || wantsAll(filters) })
    const wanted = (await filterContainers(engine, listed, filters)).slice(0, most ?? undefined)
    const form = containerForm({ whole: trunc === false, sizes: size === true })
    const text = format as string | undefined
    const asks = (fields: RegExp) => isTemplate(text) && fields.test(text ?? '')
    const withSize = asks(SIZE_FIELDS) || (size === true && quiet !== true && !isTemplate(text))
    const items = await Promise.all(wanted.map(itemMaker(engine, { withSpec: asks(SPEC_FIELDS), withSize })))
    process.stdout.write(await listText(form, items, { format: text, quiet: quiet === true }))
    return 0
  },
}

/** Makes rows of containers; each image is looked up once. */
function itemMaker(
  engine: Engine,
  { withSpec, withSize }: { readonly withSpec: boolean; readonly withSize: boolean },
): (summary: ContainerSummary) => Promise<ListedContainer> {
  const imageOf = imageColumn(engine)
  return async (summary) => ({
    summary,
    image: await imageOf(summary),
    spec: withSpec ? await specOf(engine, summary) : null,
    size: withSize ? await sizeOf(engine, summary) : null,
  })
}

/** The image as it was asked for; its short id once that name is gone or another's. */
function imageColumn(engine: Engine): (container: ContainerSummary) => Promise<string> {
  const asked = new Map<string, Promise<string | null>>()
  const idNow = (reference: string): Promise<string | null> => {
    const known = asked.get(reference)
    if (known !== undefined) return known
    const answer = engine.images.resolve(reference).then(
      ({ id }) => id,
      () => null,
    )
    asked.set(reference, answer)
    return answer
  }
  return async ({ image }) => {
    if (image === null) return ''
    return (await idNow(image.reference)) === image.id ? image.reference : image.id.slice('sha256:'.length).slice(0, 12)
  }
}

/** Docker takes -1 for no limit, and 0 too. */
function countOf(last: unknown): number | null {
  if (last === undefined) return null
  if (!/^[+-]?\d+$/.test(String(last)))
    throw new UsageError(`invalid argument "${String(last)}" for "-n, --last" flag: not a number`, {
      exitCode: 125,
      hint: 'It says how many: -n 3.',
    })
  return Number(last) > 0 ? Number(last) : null
}
