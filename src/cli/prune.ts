/** What the commands that prune have in common: what may be filtered, and how the images that nobody uses are removed. */
import type { Engine } from '../engine/engine.js'
import type { ImageSummary } from '../engine/image-summary.js'
import { EngineError } from '../errors.js'
import { type Filters, hasLabels, type KnownFilters } from './filter.js'
import { labelsOf } from './image-filter.js'
import { humanSize, printable } from './output.js'
import { parseTime } from './time-flag.js'

/** Filters of docker's `prune` commands. */
export const PRUNE_FILTERS: KnownFilters = { until: null, label: null, 'label!': null }

/** What {@link pruneFilter} judges by. */
export interface Prunable {
  readonly createdAt: Date | null
  readonly labels: Readonly<Record<string, string>>
}

/** Whether something may be removed: made before every `until`, with every `label`, and with none of `label!`. Throws INVALID_ARGUMENT. */
export function pruneFilter(filters: Filters): (item: Prunable) => boolean {
  const now = Date.now()
  const untils = (filters.get('until') ?? []).map((value) => parseTime(value, now).getTime())
  const wanted = filters.get('label') ?? []
  const unwanted = filters.get('label!') ?? []
  return ({ createdAt, labels }) =>
    untils.every((until) => (createdAt?.getTime() ?? 0) < until) &&
    hasLabels(labels, wanted) &&
    !unwanted.some((label) => hasLabels(labels, [label]))
}

/** What was removed of images: lines as docker prints them, and the bytes that are free again. */
export interface PrunedImages {
  readonly lines: readonly string[]
  readonly bytes: number
}

/** Removes images that no container uses: those without a name, or `all`, of those for which `matches` holds. */
export async function pruneImages(
  engine: Engine,
  { all, matches }: { readonly all: boolean; readonly matches: (item: Prunable) => boolean },
): Promise<PrunedImages> {
  const { images } = await engine.diskUsage()
  const lines: string[] = []
  for (const { image, containers } of images.items) {
    if (containers > 0 || (!all && image.references.length > 0)) continue
    if (!matches(await prunable(engine, image))) continue
    try {
      // Name by name and without force: a container or a name that has come meanwhile keeps it.
      for (const name of image.references.length > 0 ? image.references : [null]) {
        const { untagged, deleted } = await engine.images.remove(name ?? image.id, { unnamed: name === null })
        lines.push(...untagged.map((reference) => `untagged: ${reference}`), ...deleted.map((id) => `deleted: ${id}`))
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
    }
  }
  for (const { image } of images.items)
    if (image.problem !== null && !lines.includes(`deleted: ${image.id}`))
      process.stderr.write(
        `WARNING! ${printable(image.references[0] ?? image.id)} is damaged: what may be a part of it is kept. ` +
          '`wolffia system check --repair` mends it, `wolffia rmi` removes it.\n',
      )
  return { lines, bytes: lines.length === 0 ? 0 : images.bytes - (await engine.diskUsage()).images.bytes }
}

async function prunable(engine: Engine, image: ImageSummary): Promise<Prunable> {
  return { createdAt: image.createdAt, labels: await labelsOf(engine, image) }
}

/** Lists of what is gone, each under its heading, and what that has freed, as docker prints them. */
export function prunedText(lists: readonly (readonly [heading: string, lines: readonly string[]])[], bytes: number): string {
  const shown = lists.filter(([, lines]) => lines.length > 0)
  const text = shown.map(([heading, lines]) => `${heading}\n${lines.map((line) => `${line}\n`).join('')}\n`).join('')
  return `${text}Total reclaimed space: ${humanSize(bytes)}\n`
}
