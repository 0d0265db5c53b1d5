import { type FSWatcher, watch } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a container has written, of which log it is read, and how much of it. */
export interface LogOptions {
  /** Goes on with what is still to come, until the container ends. */
  readonly follow?: boolean
  /** So many of the last entries; all unless said. */
  readonly tail?: number
  readonly since?: Date
  readonly until?: Date
  /** Both unless said. */
  readonly streams?: readonly ('stdout' | 'stderr')[]
  readonly signal?: AbortSignal
}

/** A line of output, or a piece of one that is very long. */
export interface LogEntry {
  readonly stream: 'stdout' | 'stderr'
  /** RFC 3339 with nanoseconds, in UTC. */
  readonly time: string
  /** With the newline, where there was one. */
  readonly text: string
}

/** A log as the launcher writes it (log.h): `path`, and behind it `path.1`, `path.2` … with what is older. */
export interface LogFile {
  readonly path: string
  readonly files: number
}

const PIECE_BYTES = 64 * 1024
/** Between two looks at a file of which no news has come. */
const POLL_MS = 500

/** Which lines of a file that is added to are wanted, and when no more are to come. */
export interface LineOptions<Line> extends Pick<LogOptions, 'follow' | 'tail' | 'until' | 'signal'> {
  /** Null for a line that is none. */
  readonly parse: (line: string) => Line | null
  readonly isWanted: (line: Line) => boolean
  /** Whether nothing more is to come. */
  readonly ended: () => boolean
}

/** The entries of a log, oldest first. `ended` says whether nothing more is to come. */
export function readLog(log: LogFile, options: LogOptions, ended: () => boolean): AsyncGenerator<LogEntry> {
  return readLines(log, { ...options, parse: parseEntry, isWanted: (entry) => isWanted(entry, options), ended })
}

/** The lines of a file that is added to and turned over, oldest first. */
export async function* readLines<Line>(log: LogFile, options: LineOptions<Line>): AsyncGenerator<Line> {
  const { follow = false, tail, signal, parse, isWanted, ended } = options
  const current = await Reader.open(log.path, parse)
  try {
    const past: Line[] = []
    for (let number = log.files - 1; number > 0; number--) await readOld(`${log.path}.${number}`, options, past)
    for await (const entry of current?.entries() ?? []) {
      if (!isWanted(entry)) continue
      past.push(entry)
      if (tail !== undefined && past.length > tail) past.shift()
    }
    yield* past
    if (follow) yield* followed(log.path, current, options, () => ended() || signal?.aborted === true)
  } finally {
    await current?.close()
  }
}

async function readOld<Line>(path: string, { tail, parse, isWanted }: LineOptions<Line>, past: Line[]): Promise<void> {
  const reader = await Reader.open(path, parse)
  if (reader === null) return
  try {
    for await (const entry of reader.entries()) {
      if (!isWanted(entry)) continue
      past.push(entry)
      if (tail !== undefined && past.length > tail) past.shift()
    }
  } finally {
    await reader.close()
  }
}

async function* followed<Line>(
  path: string,
  first: Reader<Line> | null,
  options: LineOptions<Line>,
  over: () => boolean,
): AsyncGenerator<Line> {
  let reader = first
  let wake = () => {}
  const { signal, parse, isWanted } = options
  const watcher = watchFolder(path, () => wake())
  const onAbort = () => wake()
  signal?.addEventListener('abort', onAbort)
  try {
    for (;;) {
      // Asked for before reading: what is written before the end is then read.
      const last = over()
      for await (const entry of reader?.entries() ?? []) if (isWanted(entry)) yield entry
      if (options.until !== undefined && Date.now() > options.until.getTime()) return
      if (reader === null || (await reader.isReplaced(path))) {
        const next = await Reader.open(path, parse)
        if (next !== null) {
          // What came between the last look and the turning over.
          for await (const entry of reader?.entries() ?? []) if (isWanted(entry)) yield entry
          if (reader !== first) await reader?.close()
          reader = next
          continue
        }
      }
      if (last) return
      await Promise.race([
        new Promise<void>((resolve) => {
          wake = resolve
        }),
        sleep(POLL_MS, undefined, { ref: true }),
      ])
    }
  } finally {
    watcher?.close()
    signal?.removeEventListener('abort', onAbort)
    if (reader !== first) await reader?.close()
  }
}

/** A host may have no watches left: then looking again every while must do. */
function watchFolder(path: string, changed: () => void): FSWatcher | null {
  try {
    const watcher = watch(dirname(path), changed)
    watcher.on('error', () => {})
    return watcher
  } catch {
    return null
  }
}

function isWanted({ stream, time }: LogEntry, { since, until, streams }: LogOptions): boolean {
  if (streams !== undefined && !streams.includes(stream)) return false
  const written = Date.parse(time)
  return (since === undefined || written >= since.getTime()) && (until === undefined || written <= until.getTime())
}

/** A file that is read as it grows. */
class Reader<Line> {
  readonly #file: FileHandle
  readonly #parse: (line: string) => Line | null
  #position = 0
  #rest = Buffer.alloc(0)

  private constructor(file: FileHandle, parse: (line: string) => Line | null) {
    this.#file = file
    this.#parse = parse
  }

  static async open<Line>(path: string, parse: (line: string) => Line | null): Promise<Reader<Line> | null> {
    try {
      return new Reader(await open(path), parse)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** What is there and has not been read. A line that is not whole yet is left for another time. */
  async *entries(): AsyncGenerator<Line> {
    const piece = Buffer.alloc(PIECE_BYTES)
    for (;;) {
      const { size } = await this.#file.stat()
      // Emptied by who turned it over.
      if (size < this.#position) {
        this.#position = 0
        this.#rest = Buffer.alloc(0)
      }
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, this.#position)
      if (bytesRead === 0) return
      this.#position += bytesRead
      const text = Buffer.concat([this.#rest, piece.subarray(0, bytesRead)])
      let start = 0
      for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, start)) {
        const entry = this.#parse(text.toString('utf8', start, end))
        if (entry !== null) yield entry
        start = end + 1
      }
      this.#rest = text.subarray(start)
    }
  }

  /** Whether another file bears the name now, or none. */
  async isReplaced(path: string): Promise<boolean> {
    const [own, other] = await Promise.all([this.#file.stat(), stat(path).catch(() => null)])
    return other === null || own.ino !== other.ino
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Null for a line that a full disk or a crash has spoilt. */
function parseEntry(line: string): LogEntry | null {
  try {
    const { log, stream, time } = JSON.parse(line)
    if (typeof log !== 'string' || typeof time !== 'string' || (stream !== 'stdout' && stream !== 'stderr')) return null
    return { stream, time, text: log }
  } catch {
    return null
  }
}
