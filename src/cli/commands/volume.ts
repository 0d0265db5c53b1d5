import type { VolumeSummary } from '../../engine/volumes.js'
import { EngineError } from '../../errors.js'
import type { NewVolume, Volume } from '../../volume/volume.js'
import type { CliCommand } from '../command.js'
import { confirmed } from '../confirm.js'
import { labelsText } from '../container-form.js'
import { forEach } from '../each.js'
import { type ListForm, listText } from '../format.js'
import { inspectedAs } from '../inspected.js'
import { humanSize, printable } from '../output.js'
import { UsageError } from '../report.js'
import { isAsked, PRUNE_FILTERS, parseFilters, VOLUME_FILTERS, type VolumeFilters, volumeMatches } from '../volume-filters.js'
import { inspectVolume } from '../volume-form.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

async function openEngine() {
  const { Engine } = await import('../../engine/engine.js')
  return Engine.open()
}

/** `wolffia volume create`: makes a volume and prints its name. */
export const create: CliCommand = {
  usage: '[VOLUME]',
  arity: [0, 1],
  configure(parser) {
    parser
      .option('-d, --driver <name>', 'who keeps the data: local')
      .option('--label <NAME[=VALUE]>', 'set a label on the volume', collect)
      .option('--name <name>', 'another way to give its name')
      .option('-o, --opt <NAME=VALUE>', 'an option for the driver', collect)
  },
  async run([positional], { driver, label, name, opt }) {
    if (positional !== undefined && name !== undefined)
      throw new UsageError('conflicting options: cannot specify a volume-name through both --name and as a positional arg', { exitCode: 1 })
    const wanted = (positional ?? name) as string | undefined
    const volume: NewVolume = {
      labels: pairs(label, '--label'),
      options: pairs(opt, '-o, --opt'),
      ...(typeof driver === 'string' ? { driver } : {}),
      ...(wanted === undefined ? {} : { name: wanted }),
    }
    await using engine = await openEngine()
    process.stdout.write(`${(await engine.volumes.create(volume)).name}\n`)
    return 0
  },
}

/** `wolffia volume ls`: volumes in a table, by name. */
export const list: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('-f, --filter <filter>', 'only some: dangling=true, name=…, label=NAME[=VALUE], driver=local', collect)
      .option('--format <template>', 'table, json, a Go template, or table and a template: {{.Name}} {{.Driver}}')
      .option('-q, --quiet', 'names only')
  },
  async run(_positional, { filter, quiet, format }) {
    const filters = parseFilters(filter, VOLUME_FILTERS)
    await using engine = await openEngine()
    const volumes = (await engine.volumes.list()).filter((volume) => volumeMatches(volume, filters))
    process.stdout.write(await listText(VOLUME_FORM, volumes, { format: format as string | undefined, quiet: quiet === true }))
    return 0
  },
}

/** Docker's placeholders of `docker volume ls`. */
const VOLUME_FORM: ListForm<VolumeSummary> = {
  typeName: '*formatter.volumeContext',
  columns: ['Driver', 'Name'],
  quiet: 'Name',
  fields: {
    Name: { heading: 'VOLUME NAME', value: ({ name }) => name },
    Driver: { heading: 'DRIVER', value: ({ driver }) => driver },
    Scope: { heading: 'SCOPE', value: () => 'local' },
    Mountpoint: { heading: 'MOUNTPOINT', value: ({ mountpoint }) => mountpoint },
    Labels: { heading: 'LABELS', value: ({ labels }) => labelsText(labels) },
    Links: { heading: 'LINKS', value: ({ containers }) => String(containers.length) },
  },
  methods: { Label: ({ labels }, name) => (Object.hasOwn(labels, name) ? (labels[name] ?? '') : '') },
}

/** `wolffia volume inspect`: volumes in the words of docker's API, in one JSON array. */
export const inspect: CliCommand = {
  usage: 'VOLUME [VOLUME...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-f, --format <template>', 'json, or a Go template: {{.Mountpoint}}')
  },
  async run(names, { format, debug }) {
    const context = { command: 'volume inspect', debug: debug === true }
    const inspected = await inspectedAs(format, context)
    if (typeof inspected === 'number') return inspected
    await using engine = await openEngine()
    const exitCode = await forEach(names, context, async (name) => inspected.add(inspectVolume(await engine.volumes.get(name))))
    inspected.end()
    return exitCode
  },
}

/** `wolffia volume rm`: removes volumes and prints the name of each. */
export const remove: CliCommand = {
  usage: 'VOLUME [VOLUME...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser.option('-f, --force', 'pass over those that do not exist')
  },
  async run(names, { force, debug }) {
    await using engine = await openEngine()
    return await forEach(names, { command: 'volume rm', debug: debug === true }, async (name) => {
      try {
        await engine.volumes.remove(name)
      } catch (error) {
        if (force !== true || !(error instanceof EngineError) || error.code !== 'VOLUME_NOT_FOUND') throw error
      }
      process.stdout.write(`${name}\n`)
    })
  },
}

/** `wolffia volume prune`: removes volumes that no container has, after having asked. */
export const prune: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser
      .option('-a, --all', 'those with a name too, and not only anonymous ones')
      .option('--filter <filter>', 'only some: label=NAME[=VALUE], label!=NAME[=VALUE]; all=true as --all', collect)
      .option('-f, --force', 'do not ask')
  },
  async run(_positional, { all, filter, force }) {
    const filters = parseFilters(filter, PRUNE_FILTERS)
    const hasAll = all === true || isAsked(filters, 'all')
    const which = hasAll ? 'all volumes' : 'anonymous volumes'
    const question = `WARNING! This will remove ${which} not used by at least one container.\nAre you sure you want to continue? [y/N] `
    if (force !== true && !(await confirmed(question))) return 1
    await using engine = await openEngine()
    const { names, bytes } = await engine.volumes.prune({ all: hasAll, matches: (volume) => matchesLabels(volume, filters) })
    const deleted = names.length === 0 ? '' : `Deleted Volumes:\n${names.map((name) => `${name}\n`).join('')}\n`
    process.stdout.write(`${deleted}Total reclaimed space: ${humanSize(bytes)}\n`)
    return 0
  },
}

function matchesLabels(volume: Volume, filters: VolumeFilters): boolean {
  return volumeMatches({ ...volume, containers: [] }, filters)
}

function pairs(values: unknown, flag: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ((values as readonly string[] | undefined) ?? []).map((text) => {
      const at = text.indexOf('=')
      if (at === 0 || text === '')
        throw new EngineError('INVALID_ARGUMENT', `invalid argument "${printable(text)}" for "${flag}" flag: it needs a name`)
      return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
    }),
  )
}
