/** Paths at random over trees at random, walked by preview1's tree and by the kernel (openat2, RESOLVE_IN_ROOT): where does each come out? */
import { execFileSync } from 'node:child_process'
import { lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ERRNO, ErrnoError, type ErrnoName } from '../../src/fs/errno.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { existing, GuestTree } from '../../src/wasm/preview1/guest-tree.js'
import { HostDirectory } from '../../src/wasm/sandbox/host-directory.js'
import type { Random } from './soak.js'

/** Few names, so that paths meet. */
const NAMES = ['a', 'b', 'c', 'link', 'd.d', '...', '\xff\xfe', 'x'.repeat(255)]
const STEPS = [...NAMES, ...NAMES, '..', '..', '.', '', 'missing', 'y'.repeat(256), 'chain4', 'chain38', 'chain39', 'chain40', 'chain42']
const DIRECTORIES = 12
const FILES = 8
const LINKS = 24
const LONGEST = 12
/** Links of which each leads to the one before. */
const CHAIN = 43

type Kind = 'directory' | 'file' | { readonly target: string }

/** What stands at a path: names from the root down. Its number is what it is known by, as the time of its last change in seconds. */
interface Entry {
  readonly names: readonly string[]
  readonly kind: Kind
  readonly number: number
}

/** One walk: a path that is not absolute, and whether a symlink at its end is followed. */
interface Walk {
  readonly path: string
  readonly follows: boolean
}

/** Makes one tree on the host and in memory, and walks so many paths in it, by `test/fixtures/resolve-in-root.c` and by ours. */
export function walkAtRandom(random: Random, kernel: string, walks: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-paths-'))
  const root = join(folder, 'root')
  let host: HostDirectory | null = null
  try {
    const entries = treeAtRandom(random)
    makeOnHost(root, entries)
    host = new HostDirectory(root)
    const trees = { 'in memory': treeOver(makeInMemory(entries)), 'bind mount': treeOver(host) }
    const asked = Array.from({ length: walks }, (): Walk => ({ path: relativePath(random), follows: random.below(2) === 0 }))
    const answers = kernelAnswers(kernel, root, asked)
    for (const [place, walk] of asked.entries()) {
      const answer = answers[place] === -ERRNO.ELOOP ? undisturbed(kernel, root, walk) : answers[place]
      for (const [name, tree] of Object.entries(trees)) {
        const ours = comesOut(tree, walk)
        assert.is(ours, answer, `${name} ${ours}, kernel ${answer}: ${JSON.stringify(walk)} in ${JSON.stringify(entries)}`)
      }
    }
  } finally {
    host?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function kernelAnswers(kernel: string, root: string, walks: readonly Walk[]): number[] {
  const input = Buffer.from(walks.map(({ path, follows }) => `${follows ? 'f' : 'k'}${path}\n`).join(''), 'latin1')
  const answers = execFileSync(kernel, [root], { input, encoding: 'latin1' }).trimEnd().split('\n').map(Number)
  assert.is(answers.length, walks.length)
  return answers
}

/** Where somebody renames something meanwhile the kernel walks once more, and counts the links of both walks (fs/namei.c, total_link_count). */
function undisturbed(kernel: string, root: string, walk: Walk): number | undefined {
  const answers = kernelAnswers(kernel, root, Array(5).fill(walk))
  return answers.find((answer) => answer !== -ERRNO.ELOOP) ?? answers[0]
}

function treeAtRandom(random: Random): Entry[] {
  const entries: Entry[] = [{ names: [], kind: 'directory', number: 1 }]
  const add = (kind: Kind) => {
    const parents = entries.filter((entry) => entry.kind === 'directory')
    const names = [...random.pick(parents).names, random.pick(NAMES)]
    if (names.length > LONGEST || entries.some((entry) => sameNames(entry.names, names))) return
    entries.push({ names, kind, number: entries.length + 1 })
  }
  for (let count = 0; count < DIRECTORIES; count++) add('directory')
  for (let count = 0; count < FILES; count++) add('file')
  for (let count = 0; count < LINKS; count++) add({ target: pathAtRandom(random) })
  // Around the most links that the kernel follows.
  for (let count = 0; count < CHAIN; count++)
    entries.push({ names: [`chain${count}`], kind: { target: count === 0 ? '.' : `chain${count - 1}` }, number: entries.length + 1 })
  return entries
}

function sameNames(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((name, place) => name === right[place])
}

/** May be absolute, end in slashes, climb, and be too long. */
function pathAtRandom(random: Random): string {
  const steps = Array.from({ length: 1 + random.below(LONGEST) }, () => random.pick(STEPS))
  const path = (random.below(3) === 0 ? '/' : '') + steps.join('/') + (random.below(4) === 0 ? '/' : '')
  return path === '' ? '.' : path
}

function relativePath(random: Random): string {
  const path = pathAtRandom(random).replace(/^\/+/, '')
  return path === '' ? '.' : path
}

function makeOnHost(root: string, entries: readonly Entry[]): void {
  const pathOf = ({ names }: Entry) => Buffer.from([root, ...names].join('/'), 'latin1')
  for (const entry of entries)
    if (entry.kind === 'directory') mkdirSync(pathOf(entry))
    else if (entry.kind === 'file') writeFileSync(pathOf(entry), '')
    else symlinkSync(Buffer.from(entry.kind.target, 'latin1'), pathOf(entry))
  // Last: each entry that is made changes its directory.
  for (const entry of entries) lutimesSync(pathOf(entry), entry.number, entry.number)
}

function makeInMemory(entries: readonly Entry[]): UnionFs {
  const fs = new UnionFs({ lowers: [] })
  const attributes = { mode: 0o755, uid: 0, gid: 0 }
  const inos = new Map([['', fs.root]])
  for (const { names, kind } of entries) {
    const name = names.at(-1)
    if (name === undefined) continue
    const directory = inos.get(names.slice(0, -1).join('/')) ?? fs.root
    const ino =
      typeof kind === 'object'
        ? fs.create(directory, name, { type: 'symlink', target: kind.target, ...attributes })
        : fs.create(directory, name, { type: kind, ...attributes })
    inos.set(names.join('/'), ino)
  }
  for (const { names, number } of entries)
    fs.setAttributes(inos.get(names.join('/')) ?? fs.root, { mtimeNs: BigInt(number) * 1_000_000_000n })
  return fs
}

function treeOver(fs: FileSystem): GuestTree {
  return new GuestTree(fs, { credentials: { uid: 0, gid: 0, additionalGids: [] }, readonly: false })
}

/** The number of what the walk leads to, or the error's below zero. */
function comesOut(tree: GuestTree, { path, follows }: Walk): number {
  try {
    const resolved = tree.walk({ handle: tree.root, confined: false }, path, follows ? 'follow' : 'keep-unless-slash')
    return Number(tree.stat(existing(resolved)).mtimeNs / 1_000_000_000n)
  } catch (error) {
    if (error instanceof ErrnoError) return -ERRNO[error.code as ErrnoName]
    throw error
  }
}
