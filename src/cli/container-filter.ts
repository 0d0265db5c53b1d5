import type { ContainerSize, ContainerSummary } from '../container/container.js'
import type { Engine } from '../engine/engine.js'
import { EngineError } from '../errors.js'
import type { DiffId } from '../oci/digest.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { mountsOf } from './container-form.js'
import { type Filters, hasLabels, invalidFilter, type KnownFilters } from './filter.js'

const PUBLISH = 'No port is published yet.'

/** Filters of `docker ps`. */
export const CONTAINER_FILTERS: KnownFilters = {
  id: null,
  name: null,
  label: null,
  status: null,
  exited: null,
  ancestor: null,
  before: null,
  since: null,
  volume: null,
  network: null,
  health: null,
  publish: PUBLISH,
  expose: PUBLISH,
  'is-task': 'wolffia has no swarm: no container is a task.',
}

/** Docker's words for where a container stands. */
const STATUSES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead']

const HEALTHS = ['starting', 'healthy', 'unhealthy', 'none']

/** Whether a container is one that a filter wants. */
type Judge = (container: ContainerSummary) => boolean | Promise<boolean>

/** Whether the filters ask for containers that have ended, too. */
export function wantsAll(filters: Filters): boolean {
  return filters.has('status')
}

/** Those that every filter wants: of several values of one, any will do; of labels, all are needed. */
export async function filterContainers(
  engine: Engine,
  containers: readonly ContainerSummary[],
  filters: Filters,
): Promise<readonly ContainerSummary[]> {
  let left = containers
  for (const [name, values] of filters) {
    const judge = await judgeOf(engine, name, values)
    const verdicts = await Promise.all(left.map(judge))
    left = left.filter((_container, at) => verdicts[at] === true)
  }
  return left
}

/** What a container was told when it was made; null for one that is dead or gone. */
export async function specOf(engine: Engine, { id }: ContainerSummary): Promise<ContainerSpec | null> {
  try {
    const container = await engine.containers.get(id)
    return container.summary().image === null ? null : container.spec
  } catch (error) {
    if (error instanceof EngineError) return null
    throw error
  }
}

/** How much a container takes of the disk; null for one that is dead or gone. */
export async function sizeOf(engine: Engine, { id }: ContainerSummary): Promise<ContainerSize | null> {
  try {
    return await (await engine.containers.get(id)).size()
  } catch (error) {
    if (error instanceof EngineError) return null
    throw error
  }
}

async function judgeOf(engine: Engine, name: string, values: readonly string[]): Promise<Judge> {
  switch (name) {
    case 'id':
      return ({ id }) => values.some((value) => matches(value, id))
    case 'name':
      // Docker's names begin with a slash, and some write it.
      return ({ name: own }) => values.some((value) => matches(value, own) || matches(value, `/${own}`))
    case 'label':
      return ({ labels }) => hasLabels(labels, values)
    case 'status':
      for (const value of values) if (!STATUSES.includes(value)) throw invalidFilter(name, value, `There are ${STATUSES.join(', ')}.`)
      return ({ status }) => values.includes(status)
    case 'health':
      for (const value of values) if (!HEALTHS.includes(value)) throw invalidFilter(name, value, `There are ${HEALTHS.join(', ')}.`)
      return ({ health }) => values.includes(health ?? 'none')
    case 'exited':
      for (const value of values) if (!/^-?\d+$/.test(value)) throw invalidFilter(name, value, 'It is an exit code: exited=0.')
      return ({ status, exit }) => status === 'exited' && values.some((value) => Number(value) === (exit?.exitCode ?? 0))
    case 'ancestor':
      return descendsFrom(engine, values)
    case 'before':
    case 'since':
      return createdBeside(engine, name, values)
    case 'volume':
      return async (container) => {
        const spec = await specOf(engine, container)
        const destinations = (spec?.mounts ?? []).map(({ destination }) => destination)
        return [...mountsOf(spec), ...destinations].some((known) => values.includes(known))
      }
    default:
      return async (container) => values.includes((await specOf(engine, container))?.network.mode ?? '')
  }
}

/** As docker: the same text, or a regular expression that is somewhere in it; one that is none matches nothing. */
function matches(pattern: string, text: string): boolean {
  if (pattern === text) return true
  try {
    return new RegExp(pattern, 'u').test(text)
  } catch {
    return false
  }
}

/** Made from an image, or from one that begins with all its layers. */
async function descendsFrom(engine: Engine, images: readonly string[]): Promise<Judge> {
  const ancestors = await Promise.all(images.map((name) => engine.images.inspect(name).catch(() => null)))
  return ({ image }) =>
    image !== null &&
    ancestors.some((ancestor, at) =>
      ancestor === null
        ? image.reference === images[at]
        : ancestor.id === image.id || (ancestor.diffIds.length > 0 && beginsWith(image.diffIds, ancestor.diffIds)),
    )
}

function beginsWith(layers: readonly DiffId[], base: readonly DiffId[]): boolean {
  return base.every((layer, at) => layers[at] === layer)
}

async function createdBeside(engine: Engine, side: 'before' | 'since', names: readonly string[]): Promise<Judge> {
  const times = await Promise.all(names.map(async (name) => (await engine.containers.get(name)).summary().createdAt.getTime()))
  return ({ createdAt }) => times.every((time) => (side === 'before' ? createdAt.getTime() < time : createdAt.getTime() > time))
}
