import type { EngineEvent } from '../container/journal.js'
import { type Filters, hasLabels, type KnownFilters } from './filter.js'

const NO_SWARM = 'wolffia has no swarm.'

/** Filters of `docker events`. */
export const EVENT_FILTERS: KnownFilters = {
  container: null,
  event: null,
  image: null,
  label: null,
  type: null,
  volume: null,
  config: NO_SWARM,
  daemon: 'There is no daemon: leave it out.',
  network: 'There are no networks yet: leave it out.',
  node: NO_SWARM,
  plugin: 'wolffia has no plugins.',
  scope: 'Everything is local: leave it out.',
  secret: NO_SWARM,
  service: NO_SWARM,
}

/** Whether an event is one of those that are wanted: by every filter, by any value of each, and by all labels. */
export function eventMatches(event: EngineEvent, filters: Filters): boolean {
  return [...filters].every(([name, values]) => {
    if (name === 'label') return hasLabels(event.attributes, values)
    return values.some((value) => JUDGES[name]?.(event, value) === true)
  })
}

const JUDGES: Readonly<Record<string, (event: EngineEvent, value: string) => boolean>> = {
  type: ({ type }, value) => type === value,
  // As docker: `health_status` is every `health_status: …`.
  event: ({ action }, value) => action === value || action.startsWith(`${value}:`),
  container: ({ type, id, attributes }, value) =>
    type === 'container' && (attributes.name === value.replace(/^\//, '') || (value !== '' && id.startsWith(value))),
  volume: ({ type, id }, value) => type === 'volume' && id === value,
  image: ({ type, id, attributes }, value) =>
    type === 'image'
      ? id === value || id === `sha256:${value}` || isImage(attributes.name ?? '', value)
      : isImage(attributes.image ?? '', value),
}

/** As docker: with its tag or without. */
function isImage(name: string, wanted: string): boolean {
  return name === wanted || withoutTag(name) === wanted
}

function withoutTag(name: string): string {
  const colon = name.lastIndexOf(':')
  return colon > name.lastIndexOf('/') ? name.slice(0, colon) : name
}
