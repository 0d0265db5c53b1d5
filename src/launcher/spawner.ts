/**
 * The spawner (`spawn.c`): a small child that starts launchers. A process is copied, page table by page table, to start another one, and a Node
 * that works has many pages; the spawner has few.
 *
 * It is born with as many sockets as some starts take, for no descriptor can be handed on from Node later, and serves until these are used up. It
 * ends with this process, however that ends, has no name that anybody could reach it by, and what it has started goes on without it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { assetPath } from './installation.js'

/** Where one of the caller's ends goes: a stream of this process, nowhere, or a descriptor of this process. */
export type StdioEnd = 'pipe' | 'ignore' | number

/** What of a child process is used of a launcher. */
export interface LauncherChild {
  /** Undefined for one that could not be started, and for one of the spawner's until its event `launched`. */
  readonly pid?: number | undefined
  readonly stdin: ChildProcess['stdin']
  readonly stdout: ChildProcess['stdout']
  readonly stderr: ChildProcess['stderr']
  readonly stdio: readonly unknown[]
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
  on(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown
  /** Keeps this process from ending no more. */
  unref(): void
}

/** A start as the spawner is asked for it. */
export interface SpawnRequest {
  /** Of the launcher, from 0 on. */
  readonly stdio: readonly StdioEnd[]
  /** File that its descriptor 5 is to be. */
  readonly filterPath?: string | undefined
  /** A program is to run, for which a spawner may be begun. */
  readonly hasProgram: boolean
}

/** First number of the sockets in the spawner; what a launcher knows by number is below. */
const SOCKETS_FIRST = 16
/** Of one spawner: sixteen starts with stdout and stderr. Each is a descriptor of this process as well. */
const SOCKETS = 64

let isExpected = false
let spawner: Spawner | null = null

/** A program has been let go: where there was one there may be more, and each further one is started by the spawner. */
export function expectFurtherStarts(): void {
  isExpected = true
}

/**
 * Has the spawner start a launcher. Null where this process is to do it: until a container has run, since no other may follow; for what is given
 * descriptors of this process, which cannot be handed on, or reads input, which takes a socket for one direction; and where no spawner can be made.
 */
export function spawnLauncher({ stdio, filterPath, hasProgram }: SpawnRequest): LauncherChild | null {
  const sockets = stdio.filter((end) => end === 'pipe').length
  const isPossible = stdio[0] === 'ignore' && stdio.length <= SOCKETS_FIRST && !stdio.some((end) => typeof end === 'number')
  if (!isPossible || sockets > SOCKETS || (spawner === null && !(hasProgram && isExpected))) return null
  if (spawner !== null && !spawner.serves(sockets)) {
    spawner.retire()
    spawner = null
  }
  spawner ??= Spawner.begin()
  return spawner?.start(stdio, filterPath ?? '') ?? null
}

/** A launcher that the spawner has been asked for. */
class SpawnedLauncher extends EventEmitter implements LauncherChild {
  readonly stdin = null
  readonly stdout: Socket | null
  readonly stderr: Socket | null

  constructor(
    readonly stdio: readonly (Socket | null)[],
    readonly unref: () => void,
  ) {
    super()
    this.stdout = stdio[1] ?? null
    this.stderr = stdio[2] ?? null
  }

  /** It has ended. As of any child process, what nobody reads by then is not kept. */
  ended(code: number | null, signal: string | null): void {
    this.emit('exit', code, signal)
    process.nextTick(() => {
      for (const socket of this.stdio) if (socket?.readable) socket.resume()
    })
  }
}

class Spawner {
  readonly #sockets: Socket[]
  readonly #channel: Socket
  readonly #circumstances = circumstances()
  readonly #running = new Map<number, SpawnedLauncher>()
  readonly #awaited = new Set<number>()
  #used = 0
  #starts = 0
  #isGone = false
  #partialLine = ''

  /** Null where there is no room for one. */
  static begin(): Spawner | null {
    const nowhere = Array<'ignore'>(SOCKETS_FIRST - 4).fill('ignore')
    let child: ChildProcess
    try {
      child = spawn(assetPath('launcher'), ['--spawn'], {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe', ...nowhere, ...Array<'pipe'>(SOCKETS).fill('pipe')],
        env: {},
        detached: true,
      })
    } catch {
      return null
    }
    child.on('error', () => {})
    // Out of descriptors Node gives back a child without streams.
    if ((child.stdio as ChildProcess['stdio'] | undefined) === undefined || child.pid === undefined) return null
    return new Spawner(child)
  }

  private constructor(child: ChildProcess) {
    child.unref()
    this.#channel = child.stdio[3] as Socket
    this.#channel.setEncoding('utf8')
    this.#channel.unref()
    this.#channel.on('error', () => {})
    this.#channel.on('data', (text: string) => this.#read(text))
    this.#channel.on('close', () => this.#lost())
    this.#sockets = child.stdio.slice(SOCKETS_FIRST) as unknown as Socket[]
    for (const socket of this.#sockets) {
      socket.on('error', () => {})
      socket.unref()
    }
  }

  /** Whether it has so many sockets left, and what it starts would be as what this process starts now. */
  serves(sockets: number): boolean {
    return !this.#isGone && this.#used + sockets <= this.#sockets.length && this.#circumstances === circumstances()
  }

  start(stdio: readonly StdioEnd[], filterPath: string): SpawnedLauncher {
    const number = ++this.#starts
    const numbers: string[] = []
    const streams = stdio.map((end) => {
      const socket = end === 'pipe' ? (this.#sockets[this.#used] ?? null) : null
      numbers.push(socket === null ? '' : String(SOCKETS_FIRST + this.#used++))
      return socket?.ref() ?? null
    })
    const launcher = new SpawnedLauncher(streams, () => this.#await(number, false))
    this.#running.set(number, launcher)
    this.#await(number, true)
    this.#channel.write(['start', number, assetPath('launcher'), filterPath, numbers.length, ...numbers, ''].join('\0'))
    return launcher
  }

  /** It starts no more, and ends with the last of what it has started. */
  retire(): void {
    if (!this.#isGone) this.#channel.write('last\0')
    for (const socket of this.#sockets.slice(this.#used)) socket.destroy()
  }

  /** Whether this process is to live until that launcher has ended. */
  #await(number: number, isAwaited: boolean): void {
    if (isAwaited) this.#awaited.add(number)
    else this.#awaited.delete(number)
    if (this.#awaited.size > 0) this.#channel.ref()
    else this.#channel.unref()
  }

  #read(text: string): void {
    const lines = (this.#partialLine + text).split('\n')
    this.#partialLine = lines.pop() ?? ''
    for (const line of lines) {
      const { event, start, errno, code, signal }: SpawnerEvent = JSON.parse(line)
      const launcher = this.#running.get(start)
      if (event === 'refused') launcher?.emit('error', systemError(errno))
      else {
        this.#running.delete(start)
        this.#await(start, false)
        launcher?.ended(code, signal === null ? null : `signal ${signal}`)
      }
    }
  }

  /** Somebody has ended it. What it has started goes on, and its end is known by the end of what it says. */
  #lost(): void {
    this.#isGone = true
    for (const socket of this.#sockets.slice(this.#used)) socket.destroy()
    for (const launcher of this.#running.values()) launcher.ended(null, null)
    this.#running.clear()
  }
}

/** What the spawner says, one line each. */
interface SpawnerEvent {
  /** `refused`: it could not be started. `ended`: it has been, and has ended. */
  readonly event: 'refused' | 'ended'
  readonly start: number
  readonly errno: number
  readonly code: number | null
  readonly signal: number | null
}

function systemError(errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(code), { code, errno })
}

/** What a process takes over from who starts it, as far as it can change in a Node. */
function circumstances(): string {
  const { uid, gid, groups } = {
    uid: [process.getuid?.(), process.geteuid?.()],
    gid: [process.getgid?.(), process.getegid?.()],
    groups: process.getgroups?.(),
  }
  return JSON.stringify([uid, gid, groups, process.cwd(), assetPath('launcher')])
}
