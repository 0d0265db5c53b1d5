/**
 * One at a time, between processes, without flock(2) (which Node lacks) and without a lock that outlives its holder.
 *
 * Lamport's bakery over file names in one folder. Who wants in announces itself (`choosing-WHO`), makes the announcement a ticket
 * higher than all it sees (`N-WHO`, by one rename), and waits until nobody announced earlier is still choosing and nobody has
 * a lower ticket. Every name carries its process's identity, so files of dead processes are recognised, and the invariant
 * that makes this safe is: **nobody ever removes a file of a process that may live.** There is no moment at which two can take
 * over the same stale lock.
 *
 * Its files are touched synchronously: some ten calls of microseconds each, of which none is worth a trip through the thread pool.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { EngineError } from '../errors.js'
import { IDENTITY_PATTERN, mayBeAlive, ownIdentity, type ProcessIdentity, pidOf } from './process-identity.js'

/** Options of {@link Lock.hold}. */
export interface LockOptions {
  readonly signal?: AbortSignal
  /** Milliseconds to wait for others before STORE_LOCKED; its `data` names the one it was held by (`pid`, `identity`). */
  readonly timeoutMs?: number
  /** Told who has it, when it has to be waited for, and each time that somebody else has it. */
  readonly onWait?: (holder: ProcessIdentity) => void
}

const DEFAULT_TIMEOUT_MS = 60_000
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 40
const CHOOSING = new RegExp(`^choosing-((${IDENTITY_PATTERN})-[0-9a-f]+)$`)
const TICKET = new RegExp(`^(\\d+)-((${IDENTITY_PATTERN})-[0-9a-f]+)$`)

/** A file of the folder, read back. `ticket` is 0 while its owner is still choosing. */
interface Claim {
  readonly file: string
  readonly ticket: number
  readonly who: string
  readonly identity: string
}

/** A lock that is a folder. */
export class Lock {
  constructor(
    /** Folder of the lock; made when missing, and holding nothing while nobody wants in. */
    readonly directory: string,
  ) {}

  /** Runs `action` while nobody else, in this process or another, is in theirs. Not reentrant. Throws STORE_LOCKED, ABORTED. */
  async hold<T>(action: () => Promise<T>, options: LockOptions = {}): Promise<T> {
    const release = await this.#acquire(options)
    try {
      return await action()
    } finally {
      release()
    }
  }

  async #acquire({ signal, timeoutMs = DEFAULT_TIMEOUT_MS, onWait = () => {} }: LockOptions): Promise<() => void> {
    throwIfAborted(signal)
    const who = `${ownIdentity()}-${randomBytes(6).toString('hex')}`
    const announcement = join(this.directory, `choosing-${who}`)
    let ticketFile: string | undefined
    try {
      this.#announce(announcement)
      const ticket = 1 + Math.max(0, ...this.#claims().map((claim) => claim.ticket))
      ticketFile = join(this.directory, `${ticket}-${who}`)
      // Whoever lists the folder meanwhile sees the one or the other, or has yet to look at tickets.
      renameSync(announcement, ticketFile)
      const deadline = Date.now() + timeoutMs
      // Only those seen choosing now: whoever announces itself later sees our ticket and takes a higher one.
      const choosing = new Set(this.#claims().flatMap((claim) => (claim.ticket === 0 ? [claim.who] : [])))
      if (choosing.size > 0) await this.#waitUntilNone((claim) => claim.ticket === 0 && choosing.has(claim.who), deadline, signal)
      let holder: string | undefined
      const watch = ({ identity, who: held }: Claim) => {
        if (held !== holder) onWait(identity)
        holder = held
      }
      await this.#waitUntilNone((claim) => claim.ticket > 0 && isBefore(claim, { ticket, who }), deadline, signal, watch)
    } catch (error) {
      rmSync(announcement, { force: true })
      if (ticketFile !== undefined) rmSync(ticketFile, { force: true })
      throw error
    }
    const held = ticketFile
    return () => withdraw(held)
  }

  #announce(file: string): void {
    try {
      writeFileSync(file, '', { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      mkdirSync(this.directory, { recursive: true, mode: 0o700 })
      writeFileSync(file, '', { flag: 'wx', mode: 0o600 })
    }
  }

  async #waitUntilNone(
    inTheWay: (claim: Claim) => boolean,
    deadline: number,
    signal: AbortSignal | undefined,
    watch: (first: Claim) => void = () => {},
  ): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
      const [first] = this.#claims()
        .filter(inTheWay)
        .sort((one, other) => (isBefore(one, other) ? -1 : 1))
      if (first === undefined) return
      watch(first)
      throwIfAborted(signal)
      if (Date.now() > deadline)
        throw new EngineError('STORE_LOCKED', `another process (pid ${pidOf(first.identity)}) has not let go of ${this.directory}`, {
          hint: 'Wait for it, or end it; a lock of a process that is gone is never waited for.',
          data: { pid: pidOf(first.identity), identity: first.identity, lock: this.directory },
        })
      await sleep(pauseMs)
    }
  }

  /** Claims of processes that may live, this one's own among them; what dead ones left is removed on the way. */
  #claims(): readonly Claim[] {
    const claims = readdirSync(this.directory)
      .map(readClaim)
      .filter((claim) => claim !== null)
    const alive = claims.filter(({ identity }) => identity === ownIdentity() || mayBeAlive(identity))
    const left = claims.filter((claim) => !alive.includes(claim))
    for (const { file } of left) rmSync(join(this.directory, file), { force: true })
    return alive
  }
}

/** The files of a lock's folder: how many are of processes that may live, which are of dead ones, and which are no claims at all. */
export function deadClaims(files: readonly string[]): {
  readonly alive: number
  readonly dead: readonly string[]
  readonly strange: readonly string[]
} {
  const claims = files.map(readClaim).filter((claim) => claim !== null)
  const dead = claims.filter(({ identity }) => identity !== ownIdentity() && !mayBeAlive(identity))
  return {
    alive: claims.length - dead.length,
    dead: dead.map(({ file }) => file),
    strange: files.filter((file) => readClaim(file) === null),
  }
}

function readClaim(file: string): Claim | null {
  const choosing = CHOOSING.exec(file)
  if (choosing?.[1] && choosing[2]) return { file, ticket: 0, who: choosing[1], identity: choosing[2] }
  const taken = TICKET.exec(file)
  return taken?.[1] && taken[2] && taken[3] ? { file, ticket: Number(taken[1]), who: taken[2], identity: taken[3] } : null
}

function isBefore(claim: Pick<Claim, 'ticket' | 'who'>, other: Pick<Claim, 'ticket' | 'who'>): boolean {
  return claim.ticket < other.ticket || (claim.ticket === other.ticket && claim.who < other.who)
}

/** A folder that was removed meanwhile has taken its claims with it. */
function withdraw(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EngineError('ABORTED', 'stopped while waiting for the store', { cause: signal.reason })
}
