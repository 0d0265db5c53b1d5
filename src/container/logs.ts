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
/** How often a log that is turned over while it is looked at is looked at again. */
const ATTEMPTS = 10
/** So many lines of a log's end are held while it is read; before more are shown, all are counted. */
const HELD_LINES = 1000

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
  const { follow = false, tail, signal, isWanted, ended } = options
  const readers = await openAll(log, options.parse)
  try {
    if (tail !== undefined && tail <= HELD_LINES) yield* await lastOf(wantedOf(readers, isWanted), tail)
    else {
      let passedOver = tail === undefined ? 0 : (await countOf(wantedOf(readers, isWanted))) - tail
      if (tail !== undefined) for (const reader of readers) reader.rewind()
      for await (const line of wantedOf(readers, isWanted)) if (passedOver-- <= 0) yield line
    }
    if (follow) yield* followed(log, readers.at(-1) ?? null, options, () => ended() || signal?.aborted === true)
  } finally {
    for (const reader of readers) await reader.close()
  }
}

async function* wantedOf<Line>(readers: readonly Reader<Line>[], isWanted: (line: Line) => boolean): AsyncGenerator<Line> {
  for (const reader of readers) for await (const line of reader.entries()) if (isWanted(line)) yield line
}

async function countOf(lines: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of lines) count++
  return count
}

async function lastOf<Line>(lines: AsyncIterable<Line>, count: number): Promise<readonly Line[]> {
  const held: Line[] = []
  for await (const line of lines) {
    held.push(line)
    // Seldom: each time all that stay are moved.
    if (held.length > 2 * count + HELD_LINES) held.splice(0, held.length - count)
  }
  return held.slice(Math.max(0, held.length - count))
}

function nameOf({ path }: LogFile, number: number): string {
  return number === 0 ? path : `${path}.${number}`
}

/**
 * All files of a log, oldest first. Opened from the newest on: one that is turned over meanwhile is met once more, under its next name,
 * and none is missed. Turned over twice they would be out of order, so then all is done again.
 */
async function openAll<Line>(log: LogFile, parse: LineOptions<Line>['parse']): Promise<readonly Reader<Line>[]> {
  for (let attempt = 1; ; attempt++) {
    const readers: Reader<Line>[] = []
    for (let number = 0; number < log.files; number++) {
      const reader = await Reader.open(nameOf(log, number), parse)
      if (reader === null) continue
      if (readers.some(({ inode }) => inode === reader.inode)) await reader.close()
      else readers.push(reader)
    }
    const [newest] = readers
    if (newest === undefined || attempt === ATTEMPTS || (await newest.isNamed(log.path))) return readers.reverse()
    for (const reader of readers) await reader.close()
  }
}

/** The file that was begun after this one, however often the log was turned over since; null while there is none. */
async function successor<Line>(log: LogFile, reader: Reader<Line>, parse: LineOptions<Line>['parse']): Promise<Reader<Line> | null> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const place = await placeOf(log, reader)
    if (place === 0) return null
    for (let number = (place ?? log.files) - 1; number >= 0; number--) {
      const next = await Reader.open(nameOf(log, number), parse)
      if (next === null) continue
      // Of a log that was removed, or turned over too often, older files may be left that have been read.
      if (place === null && number > 0 && !(await next.isNewerThan(reader))) {
        await next.close()
        continue
      }
      if ((await placeOf(log, reader)) === place) return next
      await next.close()
      break
    }
  }
  return null
}

/** Which of the log's files it is by now; null for none. */
async function placeOf<Line>(log: LogFile, reader: Reader<Line>): Promise<number | null> {
  for (let number = 0; number < log.files; number++) if (await reader.isNamed(nameOf(log, number))) return number
  return null
}

async function* followed<Line>(
  log: LogFile,
  first: Reader<Line> | null,
  options: LineOptions<Line>,
  over: () => boolean,
): AsyncGenerator<Line> {
  const { path } = log
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
      const next = reader === null ? await Reader.open(path, parse) : await successor(log, reader, parse)
      if (next !== null) {
        // What came between the last look and the turning over.
        for await (const entry of reader?.entries() ?? []) if (isWanted(entry)) yield entry
        if (reader !== first) await reader?.close()
        reader = next
        continue
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
  /** Nobody else's for as long as this is open. */
  readonly inode: number
  #position = 0
  #rest = Buffer.alloc(0)

  private constructor(file: FileHandle, inode: number, parse: (line: string) => Line | null) {
    this.#file = file
    this.inode = inode
    this.#parse = parse
  }

  static async open<Line>(path: string, parse: (line: string) => Line | null): Promise<Reader<Line> | null> {
    try {
      const file = await open(path)
      return new Reader(file, (await file.stat()).ino, parse)
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

  /** From its beginning once more. */
  rewind(): void {
    this.#position = 0
    this.#rest = Buffer.alloc(0)
  }

  /** Whether it bears this name now. */
  async isNamed(path: string): Promise<boolean> {
    return (await stat(path).catch(() => null))?.ino === this.inode
  }

  /** Whether it was written to after the other was. */
  async isNewerThan(other: Reader<Line>): Promise<boolean> {
    const [own, others] = await Promise.all([this.#file.stat({ bigint: true }), other.#file.stat({ bigint: true })])
    return own.mtimeNs > others.mtimeNs
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
