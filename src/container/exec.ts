import { randomBytes } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { EngineError } from '../errors.js'
import type { ExitStatus } from '../runtime/exit.js'
import type { Receipt } from '../runtime/receipt.js'
import type { Runtime, Task, TerminalSize } from '../runtime/runtime.js'
import type { ContainerSpec, ProcessSpec } from '../runtime/spec.js'
import type { ContainerRecord } from './record.js'
import { resolveUser } from './user.js'

/** Bytes of /etc/passwd and /etc/group that are looked at. */
const USER_FILE_BYTES = 1024 * 1024
/** Where a container's folder holds what is known of its detached programs. */
export const EXEC_FOLDER = 'exec'

/** One more program for a running container, in docker's words. */
export interface ExecOptions {
  readonly command: readonly string[]
  /** Variables over the container's. */
  readonly env?: Readonly<Record<string, string>>
  /** Absolute path in the container; the container's own unless said. */
  readonly workingDir?: string
  /** `name|uid[:group|gid]`, by the container's own files as they are now; the container's user unless said. */
  readonly user?: string
  readonly tty?: boolean
  readonly terminalSize?: TerminalSize
  /** A stdin to write to. */
  readonly openStdin?: boolean
  /** It goes on when this process ends, and has no stdio. */
  readonly detach?: boolean
}

/** What an {@link Exec} stands on. */
export interface ExecParts {
  readonly record: ContainerRecord
  readonly directory: string
  readonly runtime: Runtime
  readonly process: ProcessSpec
  readonly options: ExecOptions
}

/** One more program in a running container: an object with an id, as the Docker Engine API has it. */
export class Exec {
  /** 64 hex digits. */
  readonly id = randomBytes(32).toString('hex')
  readonly process: ProcessSpec
  readonly #parts: ExecParts
  #task: Task | null = null
  #isStarted = false
  #isLeft = false

  /** @internal Use `container.exec`. */
  constructor(parts: ExecParts) {
    this.#parts = parts
    this.process = parts.process
  }

  /** Of the container it runs in. */
  get containerId(): string {
    return this.#parts.record.id
  }

  /** Host pid while it runs; null before. */
  get pid(): number | null {
    return this.#task?.pid ?? null
  }

  /** Null before {@link start}, and unless `openStdin`. */
  get stdin(): Writable | null {
    return this.#task?.stdin ?? null
  }

  /** Null before {@link start}. */
  get stdout(): Readable | null {
    return this.#task?.stdout ?? null
  }

  /** Null before {@link start}, and with a terminal. */
  get stderr(): Readable | null {
    return this.#task?.stderr ?? null
  }

  /** Makes it ready: its streams are there, and it stands before its first instruction. Rejects with CONFLICT when its container does not run. */
  async prepare(): Promise<void> {
    const { record, directory, runtime, process, options } = this.#parts
    const { openStdin = false, detach = false, terminalSize } = options
    const folder = join(directory, EXEC_FOLDER)
    if (detach) mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#task = await runtime.exec({
      id: record.id,
      directory,
      spec: record.spec,
      process,
      openStdin: openStdin && !detach,
      outlives: detach,
      endRecord: detach ? join(folder, `${this.id}.json`) : null,
      ...(terminalSize === undefined ? {} : { terminalSize }),
    })
  }

  /**
   * Lets it go, made ready before or not. Rejects with COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, and CONFLICT when its container does not
   * run or it was started before.
   */
  async start(): Promise<void> {
    if (this.#isStarted) throw new EngineError('CONFLICT', `exec ${this.id.slice(0, 12)} was started before`)
    this.#isStarted = true
    if (this.#task === null) await this.prepare()
    await this.#prepared().start()
    if (this.#parts.options.detach === true) await this.leave()
  }

  /** Lets it go on when this process ends. Its streams here end. */
  async leave(): Promise<void> {
    await this.#prepared().outlive()
    this.#isLeft = true
  }

  /** How it ended. */
  async wait(): Promise<ExitStatus> {
    return this.#prepared().wait()
  }

  /** Sends it a signal, SIGKILL unless said. One that has ended is no error. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#prepared().kill(signal)
  }

  /** New size of its terminal. */
  async resize(size: TerminalSize): Promise<void> {
    await this.#prepared().resize(size)
  }

  /** What isolation is in force for it. */
  async receipt(): Promise<Receipt> {
    return this.#prepared().receipt()
  }

  /** Ends it, unless it was left. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isLeft) await this.#task?.delete()
  }

  #prepared(): Task {
    if (this.#task === null) throw new EngineError('CONFLICT', `exec ${this.id.slice(0, 12)} has not been made ready`)
    return this.#task
  }
}

/** What is known of the detached programs of earlier runs. */
export function forgetExecs(directory: string): void {
  rmSync(join(directory, EXEC_FOLDER), { recursive: true, force: true })
}

/** A container's own /etc/passwd and /etc/group, as they are now. */
export interface UserFiles {
  readonly passwd: string
  readonly group: string
}

/** The program as its wall is asked for it. `files` is asked for only where a user is named. Rejects with INVALID_ARGUMENT. */
export async function execProcess({ spec }: ContainerRecord, options: ExecOptions, files: () => Promise<UserFiles>): Promise<ProcessSpec> {
  const { command, env = {}, workingDir, user, tty = false } = options
  if (command.length === 0 || command[0] === '')
    throw new EngineError('INVALID_ARGUMENT', 'no command specified', {
      hint: 'Say what to run: wolffia exec CONTAINER PROGRAM [ARGUMENT...]',
    })
  if (workingDir !== undefined && !workingDir.startsWith('/'))
    throw new EngineError('INVALID_ARGUMENT', `the working directory '${workingDir}' is invalid, it needs to be an absolute path`, {
      hint: `Begin it with a slash: /${workingDir}`,
    })
  const own = spec.process
  const resolved = user === undefined || user === '' ? null : resolveUser(user, await files())
  const variables = new Map(own.env.map((assignment) => splitAssignment(assignment)))
  if (tty) variables.set('TERM', 'xterm')
  else if (!own.terminal) variables.delete('TERM')
  if (resolved !== null && resolved.uid !== own.user.uid) variables.set('HOME', resolved.home)
  for (const [name, value] of Object.entries(env)) variables.set(name, value)
  return {
    args: command,
    env: [...variables].map(([name, value]) => `${name}=${value}`),
    cwd: workingDir ?? own.cwd,
    user: resolved === null ? own.user : { uid: resolved.uid, gid: resolved.gid, additionalGids: resolved.additionalGids },
    terminal: tty,
  }
}

/** Reads them of a running container. */
export async function readUserFiles(runtime: Runtime, directory: string, spec: ContainerSpec): Promise<UserFiles> {
  const read = async (path: string) => (await runtime.readFile(directory, spec, path, USER_FILE_BYTES)).toString('utf8')
  const [passwd, group] = await Promise.all([read('/etc/passwd'), read('/etc/group')])
  return { passwd, group }
}

function splitAssignment(assignment: string): readonly [name: string, value: string] {
  const at = assignment.indexOf('=')
  return [assignment.slice(0, at), assignment.slice(at + 1)]
}
