import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Folders of one attempt: `data` is what the guest is given as /data; everything beside it is the host's. */
export interface Ground {
  readonly folder: string
  readonly secret: string
}

/** What came of a guest. */
export interface Attempt {
  readonly output: string
  /** Of the process that the engine runs in; null when it ended by itself. */
  readonly signal: string | null
  /** It was still going when nobody waited any longer. */
  readonly endless: boolean
  /** The engine said that a limit has ended it. */
  readonly limited: boolean
}

/** One thing that a guest must not be able to do, as words of the probe (`wasm/probe`), or a module of its own. */
export interface Attack {
  readonly name: string
  readonly words: readonly string[]
  readonly module?: 'table'
  /** The aspect of protection that a mode has not when this gets through; none for what only takes more than its share. */
  readonly refutes?: "host's files" | "host's folders"
  /** How long to wait for its end, milliseconds; for one that has none of its own. */
  readonly patienceMs?: number
  /** What it says of an engine; null that it held. */
  readonly judge: (attempt: Attempt, ground: Ground) => 'ESCAPED' | 'no limit' | 'host down' | null
}

/** Bounds that are asked for where an engine takes any. */
export const BOUNDS = { memoryBytes: 64 * 2 ** 20, openFiles: 500, outputBytes: 2 ** 20, timeoutMs: 5_000, tableElements: 1_000_000 }
const PAGES = BOUNDS.memoryBytes / 65_536
export const SECRET = 'the secret of the host'

const words = (text: string): readonly string[] => text.split(' ')
const reads = (name: string, text: string): Attack => ({
  name,
  words: words(text),
  refutes: "host's files",
  judge: ({ output }) => (output.includes(SECRET) ? 'ESCAPED' : null),
})
const makes = (name: string, text: string, made: string): Attack => ({
  name,
  words: words(text),
  refutes: "host's folders",
  judge: (_attempt, { folder }) => (existsSync(join(folder, made)) ? 'ESCAPED' : null),
})
const changes = (name: string, text: string): Attack => ({
  name,
  words: words(text),
  refutes: "host's folders",
  judge: (_attempt, { secret }) => (existsSync(secret) && readFileSync(secret, 'utf8') === SECRET ? null : 'ESCAPED'),
})
const unbounded = (name: string, text: string, isOver: (attempt: Attempt) => boolean): Attack => ({
  name,
  words: words(text),
  judge: (attempt) => (attempt.signal !== null && !attempt.endless ? 'host down' : isOver(attempt) ? 'no limit' : null),
})
const counted = ({ output }: Attempt, word: string): number => Number(new RegExp(`${word} (\\d+)`).exec(output)?.[1] ?? 0)

/** By what they try, in the order of the wasm section of the threat model. */
export const ATTACKS: readonly Attack[] = [
  reads('read by ".."', 'cat /data/../secret'),
  reads('read through a symlink of the host’s', 'cat /data/host-link'),
  reads('read through an absolute symlink', 'cat /data/absolute-link'),
  reads('read through a symlink of its own', 'symlink ../secret /data/way , cat /data/way'),
  reads('read below a symlink to ".."', 'symlink .. /data/up , cat /data/up/secret'),
  changes('write through a symlink', 'symlink ../secret /data/way , write /data/way evil'),
  makes('create through a dangling symlink', 'symlink ../new /data/way , write /data/way evil', 'new'),
  changes('unlink by ".."', 'unlink /data/../secret'),
  changes('unlink below a symlink', 'symlink .. /data/up , unlink /data/up/secret'),
  makes('hard link outside', 'link /data/file /data/../twin', 'twin'),
  reads('hard link inside', 'link /data/../secret /data/twin , cat /data/twin'),
  makes('rename outside', 'rename /data/file /data/../moved', 'moved'),
  makes('mkdir outside', 'mkdir /data/../made', 'made'),
  { name: 'environment of the host', words: ['env'], judge: ({ output }) => (output.includes(SECRET) ? 'ESCAPED' : null) },
  unbounded('memory bomb', 'memory 8192', (attempt) => counted(attempt, 'pages') > PAGES),
  { ...unbounded('table bomb', '', () => false), module: 'table' },
  unbounded('descriptor bomb', 'open-many /data/file 2000', (attempt) => counted(attempt, 'opened') > BOUNDS.openFiles),
  unbounded('output bomb', 'output 8388608', ({ output }) => output.length > BOUNDS.outputBytes),
  unbounded('recursion bomb', 'recurse', ({ endless }) => endless),
  { ...unbounded('time bomb', 'loop', ({ endless }) => endless), patienceMs: 2_000 },
]
