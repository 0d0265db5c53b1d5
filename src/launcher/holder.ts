/**
 * The holder: one process for a store, started when a container first wants it and gone some minutes after the last one has ended. It has been
 * given the range of ids, so that a start below it asks no helper for them, and its memory is where layers are unpacked.
 *
 * `FOLDER/living` names the one that was started last; whether it lives is for the kernel to say. A start that finds it gone does without.
 */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Environment, readQuantity } from '../layer/limits.js'
import { Lock } from '../store/lock.js'
import { identityOf, mayBeAlive, ownIdentity, pidOf } from '../store/process-identity.js'
import { FIRST_DESCRIPTOR, launch } from './client.js'
import { type HolderSource, type IdMap, idMapOperations, type LivingHolder, livingHolder } from './id-map.js'

/** What a holder may take. */
export interface HolderSettings {
  /** How long it stays when nobody needs it, in seconds; 0 for no holder. */
  readonly seconds: number
  /** Most bytes of its memory; 0 where layers are to be on disk. A quarter of what is free when it starts, when absent. */
  readonly memoryBytes?: number | undefined
}

/** The environment variables that set what a holder may take, and their meanings. */
export const HOLDER_VARIABLES = {
  WOLFFIA_HOLDER_SECONDS: 'time in seconds that the holder stays when no container runs',
  WOLFFIA_HOLDER_BYTES: 'bytes of memory that unpacked layers may take',
} as const

const DEFAULT_SECONDS = 300
/** The smallest that bounds a tmpfs: none would be no bound. */
const LEAST_BYTES = 4096
/** A layer's files are small: of Debian's, one in 13 KiB, of node_modules' one in 4. */
const BYTES_PER_INODE = 4096
const LIVING = 'living'
/** Who starts one, or ends it. */
const LOCK = 'lock'
/** Where the holder's memory is mounted by whoever uses it; for everybody else it is empty. */
const MEMORY = 'memory'

/** What the environment says. Throws INVALID_ARGUMENT. */
export function holderSettings(environment: Environment): HolderSettings {
  const read = (name: keyof typeof HOLDER_VARIABLES) => readQuantity(environment, name, HOLDER_VARIABLES[name])
  return { seconds: read('WOLFFIA_HOLDER_SECONDS') ?? DEFAULT_SECONDS, memoryBytes: read('WOLFFIA_HOLDER_BYTES') }
}

/** Path at which a launcher mounts a holder's memory (`holder-memory`), for itself alone. */
export function holderMemory({ folder }: LivingHolder): string {
  return join(folder, MEMORY)
}

/** The holder of a store. */
export class Holder implements HolderSource {
  readonly #folder: string
  readonly #lock: Lock
  readonly #settings: () => HolderSettings
  #failed = false

  /** `folder` is the holder's own; made when it is first started. */
  constructor(folder: string, settings: () => HolderSettings = () => holderSettings(process.env)) {
    this.#folder = folder
    this.#lock = new Lock(join(folder, LOCK))
    this.#settings = settings
  }

  /** The one that lives; null when there is none, which any moment may bring about. */
  living(): LivingHolder | null {
    const found = this.#read()
    if (found === null || !isHere(found) || !mayBeAlive(found.identity)) return null
    const { user: _user, ...living } = found
    return { ...living, folder: this.#folder }
  }

  #read(): Living | null {
    try {
      return JSON.parse(readFileSync(join(this.#folder, LIVING), 'utf8'))
    } catch {
      return null
    }
  }

  /**
   * The one that lives, started when there is none. Null for ids that need no helper, where none is wanted, and where it could not be started,
   * which is not tried again by this process. Throws INVALID_ARGUMENT for settings that are no numbers.
   */
  async ensure(idMap: IdMap): Promise<LivingHolder | null> {
    if (idMap.helpers === null || this.#failed) return null
    const living = livingHolder({ ...idMap, holder: this })
    if (living !== null) return living
    const settings = this.#settings()
    if (settings.seconds === 0) return null
    try {
      return await this.#lock.hold(async () => livingHolder({ ...idMap, holder: this }) ?? (await this.#start(idMap, settings)))
    } catch {
      this.#failed = true
      return null
    }
  }

  /**
   * Ends it, and leaves no file of it; containers that run keep what they have of it. One that is being started is ended when it is there: what
   * is removed is never what a start has just made. Throws STORE_LOCKED.
   */
  async end(): Promise<void> {
    if (!existsSync(this.#folder)) return
    await this.#lock.hold(async () => {
      const living = this.living()
      if (living !== null)
        try {
          process.kill(pidOf(living.identity))
        } catch {
          // It has ended by itself.
        }
      for (const name of readdirSync(this.#folder)) if (name !== MEMORY && name !== LOCK) rmSync(join(this.#folder, name), { force: true })
    })
  }

  async #start(idMap: IdMap, { seconds, memoryBytes = freeMemory() / 4 }: HolderSettings): Promise<LivingHolder> {
    const former = this.#read()
    // One that lives, for other ids or from elsewhere, stays until nobody needs it.
    if (former !== null && !mayBeAlive(former.identity)) rmSync(join(this.#folder, former.name), { force: true })
    mkdirSync(join(this.#folder, MEMORY), { recursive: true, mode: 0o700 })
    const name = `socket-${randomBytes(6).toString('hex')}`
    const bytes = Math.max(LEAST_BYTES, Math.floor(memoryBytes))
    const listener = FIRST_DESCRIPTOR + 1
    const launcher = launch(
      {
        operations: [
          ...idMapOperations({ ...idMap, holder: null }),
          ['limits-lifted'],
          ['namespace', 'mount'],
          ['listening-socket', this.#folder, name, listener],
          // Nothing of the host's is kept from being unmounted.
          ['root-tmpfs', bytes, Math.ceil(bytes / BYTES_PER_INODE), '0700'],
          ['switch-root'],
          ['hold', listener, seconds, FIRST_DESCRIPTOR],
        ],
        exec: null,
      },
      { descriptors: ['pipe'] },
    )
    const [told] = launcher.streams
    const [pid] = await Promise.all([told === undefined || told === null ? '' : text(told), launcher.done])
    const identity = identityOf(Number(pid))
    if (identity === null) throw new Error('the holder has ended')
    const living = { identity, name, idMapKey: idMap.key, memoryBytes: memoryBytes < LEAST_BYTES ? 0 : bytes }
    const path = join(this.#folder, LIVING)
    const content: Living = { ...living, user: userNamespace() }
    writeFileSync(`${path}.new`, JSON.stringify(content), { mode: 0o600 })
    renameSync(`${path}.new`, path)
    return { ...living, folder: this.#folder }
  }
}

/** What stands in `living`. */
type Living = Omit<LivingHolder, 'folder'> & {
  /** The user namespace that it was started from. */
  readonly user: string
}

/** Only from where it was started may its user namespace be joined, and its pid means the same process. */
function isHere({ user, identity }: Living): boolean {
  const own = ownIdentity().split('-').slice(2).join('-')
  return user === userNamespace() && identity.endsWith(`-${own}`)
}

let ownUser: string | undefined

function userNamespace(): string {
  return (ownUser ??= readlinkSync('/proc/self/ns/user'))
}

/** Bytes that could be had without swapping (proc_meminfo(5), MemAvailable), and no more than a control group leaves this process. */
function freeMemory(): number {
  const [, kibibytes = '0'] = /^MemAvailable:\s*(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1')) ?? []
  // 0 where nothing constrains it.
  return Math.min(Number(kibibytes) * 1024, process.constrainedMemory() || Number.POSITIVE_INFINITY)
}
