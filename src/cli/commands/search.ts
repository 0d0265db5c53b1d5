import { EngineError } from '../../errors.js'
import type { FoundRepository } from '../../registry/search.js'
import type { CliCommand } from '../command.js'
import { addFilterFlag, type Filters, invalidFilter, type KnownFilters, parseFilters } from '../filter.js'
import { untilAborted } from '../foreground.js'
import { listText } from '../format.js'
import { searchForm, TAG_FORM } from '../search-form.js'

const SEARCH_FILTERS: KnownFilters = { stars: null, 'is-official': null, 'is-automated': null }
/** What registries let be asked for. */
const MOST = 1000

/** `wolffia search`: what a registry has. */
export const command: CliCommand = {
  usage: '[REGISTRY/]TERM',
  arity: [1, 1],
  configure(parser) {
    addFilterFlag(parser, SEARCH_FILTERS)
    parser
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.Name}} {{.StarCount}}')
      .option('--limit <n>', 'no more than so many; 25 unless said')
      .option('--list-tags', 'the tags of the repository TERM')
      .option('--no-trunc', 'whole descriptions')
      .addHelpText(
        'after',
        '\nThe default registry is searched unless TERM begins with another: localhost:5000/app, or localhost:5000/ for all that it lists.\n' +
          'Registries without a search of their own list their names, which are looked through.',
      )
  },
  async run([term = ''], { filter, format, limit, listTags, trunc }) {
    const filters = parseFilters(filter, SEARCH_FILTERS)
    const matches = searchFilter(filters)
    const most = limitOf(limit)
    if (listTags === true && filters.size > 0)
      throw new EngineError('INVALID_ARGUMENT', 'filters are not applicable to list tags result', { hint: 'Leave out --filter.' })
    return untilAborted(async ({ signal }) => {
      const { Engine } = await import('../../engine/engine.js')
      await using engine = await Engine.open()
      const options = { ...(most === undefined ? {} : { limit: most }), signal }
      const wanted = { format: format as string | undefined }
      if (listTags === true) {
        const { name, tags } = await engine.images.tags(term, options)
        const rows = tags.map((tag) => ({ name, tag }))
        process.stdout.write(await listText(TAG_FORM, rows, wanted))
        return 0
      }
      const found = (await engine.images.search(term, options)).filter(matches)
      // As docker: the most liked first, and what a registry says nothing of in its order.
      const sorted = [...found].sort((one, other) => other.stars - one.stars)
      process.stdout.write(await listText(searchForm({ whole: trunc === false }), sorted, wanted))
      return 0
    })
  },
}

function limitOf(limit: unknown): number | undefined {
  if (limit === undefined) return undefined
  const count = /^\d{1,9}$/.test(String(limit)) ? Number(limit) : Number.NaN
  // Docker and podman take 0 for their own.
  if (count === 0) return undefined
  if (count >= 1 && count <= MOST) return count
  throw new EngineError('INVALID_ARGUMENT', `invalid argument ${JSON.stringify(String(limit))} for "--limit": it is from 1 to ${MOST}`, {
    hint: 'Leave it out for 25.',
  })
}

/** Throws INVALID_ARGUMENT for a value that a filter cannot have. */
function searchFilter(filters: Filters): (image: FoundRepository) => boolean {
  const stars = (filters.get('stars') ?? []).map((value) => {
    if (!/^\d{1,9}$/.test(value)) throw invalidFilter('stars', value, 'It is a number: --filter stars=10.')
    return Number(value)
  })
  const yes = (name: string) =>
    (filters.get(name) ?? []).map((value) => {
      if (/^(true|1)$/i.test(value)) return true
      if (/^(false|0)$/i.test(value)) return false
      throw invalidFilter(name, value, `It is true or false: --filter ${name}=true.`)
    })
  const [official, automated] = [yes('is-official'), yes('is-automated')]
  return (image) =>
    stars.every((least) => image.stars >= least) &&
    official.every((wanted) => image.isOfficial === wanted) &&
    automated.every((wanted) => image.isAutomated === wanted)
}
