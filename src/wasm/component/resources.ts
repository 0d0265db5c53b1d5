import { Trap } from './trap.js'

/** A resource as it crosses into the component's realm: whose it is is told by its number alone. */
export interface ResourceReference {
  readonly resource: string
  readonly number: number
}

/** Something that a component holds a handle of. */
export interface Resource {
  /** Its name in JavaScript, as `Descriptor`. */
  readonly resource: string
  /** Called once, when the component lets go of it. */
  drop?(): void
}

/** Resources that a component may hold at once; each is a handful of objects in the worker's heap. */
const MAXIMUM_RESOURCES = 100_000

/** All resources of one component, by number. Numbers are never used again, so that a dropped one names nothing. */
export class ResourceTable {
  readonly #resources = new Map<number, Resource>()
  #last = 0

  /** Gives `resource` to the component. Throws {@link Trap} when it has too many. */
  add(resource: Resource): ResourceReference {
    if (this.#resources.size >= MAXIMUM_RESOURCES) throw new Trap(`it holds ${MAXIMUM_RESOURCES} resources`)
    const number = ++this.#last
    this.#resources.set(number, resource)
    return { resource: resource.resource, number }
  }

  /** The resource that the component means, which must be of the class that is asked for. Throws {@link Trap}. */
  get<Wanted extends Resource>(value: unknown, wanted: abstract new (...args: never[]) => Wanted): Wanted {
    const { number } = referenceOf(value)
    const resource = this.#resources.get(number)
    if (!(resource instanceof wanted)) throw new Trap('a handle of something else')
    return resource
  }

  drop(value: unknown): void {
    const { number } = referenceOf(value)
    const resource = this.#resources.get(number)
    if (!this.#resources.delete(number)) throw new Trap('a handle that was dropped')
    resource?.drop?.()
  }
}

function referenceOf(value: unknown): ResourceReference {
  if (typeof value === 'object' && value !== null && 'number' in value && typeof value.number === 'number')
    return value as ResourceReference
  throw new Trap('something that is no handle')
}
