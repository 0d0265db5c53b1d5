import type { VolumeSummary } from '../engine/volumes.js'
import { didYouMean } from '../engine/words.js'
import { EngineError } from '../errors.js'

/** Values of each filter, in the order given. */
export type VolumeFilters = ReadonlyMap<string, readonly string[]>

/** Filters of `volume ls`. */
export const VOLUME_FILTERS = ['dangling', 'driver', 'label', 'name'] as const
/** Filters of `volume prune`. */
export const PRUNE_FILTERS = ['all', 'label', 'label!'] as const

/** `NAME=VALUE` of each `--filter`. Throws INVALID_ARGUMENT for one that is not known. */
export function parseFilters(filters: unknown, known: readonly string[]): VolumeFilters {
  const values = new Map<string, string[]>()
  for (const filter of (filters as readonly string[] | undefined) ?? []) {
    const [, name = '', value] = /^([^=]*?)=(.*)$/s.exec(filter) ?? []
    if (value === undefined) throw invalid(filter, 'it must read NAME=VALUE')
    if (!known.includes(name))
      throw invalid(filter, `there is no filter ${JSON.stringify(name)}`, didYouMean(name, known) ?? `There are ${known.join(', ')}.`)
    if ((name === 'dangling' || name === 'all') && !/^(1|0|true|false)$/i.test(value)) throw invalid(filter, 'it is true or false')
    values.set(name, [...(values.get(name) ?? []), value])
  }
  return values
}

/** Whether a filter that is true or false is true. */
export function isAsked(filters: VolumeFilters, name: string): boolean {
  return filters.get(name)?.some((value) => /^(1|true)$/i.test(value)) ?? false
}

/** Whether a volume is one of those that are wanted: by all filters, by any value of each, and by all labels. */
export function volumeMatches(volume: VolumeSummary, filters: VolumeFilters): boolean {
  const any = (name: string, matches: (value: string) => boolean) => filters.get(name)?.some(matches) ?? true
  return (
    any('dangling', (value) => /^(1|true)$/i.test(value) === (volume.containers.length === 0)) &&
    any('driver', (value) => value === volume.driver) &&
    any('name', (value) => nameMatches(volume.name, value)) &&
    (filters.get('label') ?? []).every((value) => hasLabel(volume, value)) &&
    !(filters.get('label!') ?? []).some((value) => hasLabel(volume, value))
  )
}

/** As docker: a part of the name, or a regular expression for one. */
function nameMatches(name: string, wanted: string): boolean {
  if (name.includes(wanted)) return true
  try {
    return new RegExp(wanted).test(name)
  } catch {
    return false
  }
}

function hasLabel({ labels }: VolumeSummary, wanted: string): boolean {
  const at = wanted.indexOf('=')
  const name = at < 0 ? wanted : wanted.slice(0, at)
  return Object.hasOwn(labels, name) && (at < 0 || labels[name] === wanted.slice(at + 1))
}

function invalid(filter: string, why: string, hint?: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `invalid filter "${filter}": ${why}`, {
    data: { filter },
    ...(hint === undefined ? {} : { hint }),
  })
}
