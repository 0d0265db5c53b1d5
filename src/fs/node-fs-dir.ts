import { setImmediate } from 'node:timers/promises'
import { type OptionsArgument, type PathArgument, toOptions, toPath } from './node-fs-arguments.js'
import { argumentTypeError } from './node-fs-error.js'
import type { Dirent } from './node-fs-stats.js'
import { direntOf, type Listed } from './node-fs-trees.js'

type Callback = (error: Error | null, entry?: Dirent | null) => void

/** Opens a directory: what is not one is refused here and not when it is read. */
export function openDirectory(
  list: (path: PathArgument, options: OptionsArgument) => Generator<Listed>,
  path: unknown,
  options: unknown,
): Dir {
  const parsed = toOptions(options)
  const opened = toPath(path)
  const entries = list(opened, parsed)
  const first = entries.next()
  return new Dir(opened, first.done === true ? entries : withFirst(first.value, entries), parsed)
}

function* withFirst(first: Listed, rest: Generator<Listed>): Generator<Listed> {
  yield first
  yield* rest
}

/** A directory being read, as `opendir` gives it: entry by entry, what is in it below too with `recursive`. */
export class Dir {
  /** As it was opened. */
  readonly path: string
  readonly #entries: Iterator<Listed>
  readonly #options: OptionsArgument
  #isClosed = false

  constructor(path: PathArgument, entries: Iterator<Listed>, options: OptionsArgument) {
    this.path = path.shown
    this.#entries = entries
    this.#options = options
  }

  /** The next entry, null after the last. */
  readSync(): Dirent | null {
    this.#assertOpen()
    const next = this.#entries.next()
    return next.done === true ? null : direntOf(next.value, this.#options)
  }

  read(): Promise<Dirent | null>
  read(callback: Callback): void
  read(callback?: Callback): Promise<Dirent | null> | undefined {
    return answer(this.#readLater(), callback)
  }

  closeSync(): void {
    this.#assertOpen()
    this.#isClosed = true
  }

  close(): Promise<void>
  close(callback: (error: Error | null) => void): void
  close(callback?: (error: Error | null) => void): Promise<void> | undefined {
    const closing = async (): Promise<undefined> => {
      this.closeSync()
      return undefined
    }
    return answer(closing(), callback)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Dirent, void> {
    try {
      for (let entry = await this.read(); entry !== null; entry = await this.read()) yield entry
    } finally {
      if (!this.#isClosed) this.closeSync()
    }
  }

  entries(): AsyncGenerator<Dirent, void> {
    return this[Symbol.asyncIterator]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
  }

  async #readLater(): Promise<Dirent | null> {
    await setImmediate()
    return this.readSync()
  }

  #assertOpen(): void {
    if (this.#isClosed) throw Object.assign(new Error('Directory handle was closed'), { code: 'ERR_DIR_CLOSED' })
  }
}

function answer<T>(promise: Promise<T>, callback: ((error: Error | null, value?: T) => void) | undefined): Promise<T> | undefined {
  if (callback === undefined) return promise
  if (typeof callback !== 'function') throw argumentTypeError('callback', 'of type function', callback)
  promise.then(
    (value) => process.nextTick(callback, null, value),
    (error: Error) => process.nextTick(callback, error),
  )
  return undefined
}
