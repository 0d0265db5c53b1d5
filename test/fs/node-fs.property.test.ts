/** Random calls: ours and Node's own, in a folder of the host's, answer every one alike and end with the same files. So does memfs where it can. */
import nodeFs, { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memfs } from 'memfs'
import * as assert from 'uvu/assert'
import { nodeFsOf } from '../../src/fs/node-fs.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { type AnyFs, attempt, codeOf, differences, listing, type NodeFsCase, outcomeOf, type Subject } from '../contract/node-fs.js'
import { layerOf, rawTar } from '../layer/tar.js'
import { fc } from '../support/properties.js'
import { NODE_20 } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('fs/node-fs, random calls')
const folder = mkdtempSync(join(tmpdir(), 'wolffia-node-fs-property-'))

/** A call by its name, of paths below the root, and what else it is given. */
interface RandomCall {
  readonly name: string
  readonly paths: readonly string[]
  readonly rest: readonly unknown[]
}

const NAMES = ['a', 'b', 'c', 'a/b', 'a/c', 'b/a', 'a/b/c', 'b/a/b', 'a/b/c/d'] as const
const path = fc.constantFrom(...NAMES)
const strangePath = fc.constantFrom(...NAMES, 'a/', 'a/../b', 'a/./b', 'b/..', 'a//c', 'a/b/../../c', '.')
const text = fc.constantFrom('', 'x', 'some text', 'é'.repeat(50), 'z'.repeat(70_000))
const flag = fc.constantFrom('r', 'r+', 'w', 'wx', 'w+', 'a', 'ax', 'a+')

const call = (name: string, paths: readonly fc.Arbitrary<string>[], ...rest: readonly fc.Arbitrary<unknown>[]): fc.Arbitrary<RandomCall> =>
  fc.record({ name: fc.constant(name), paths: fc.tuple(...paths), rest: fc.tuple(...rest) })

const plainCalls = (place: fc.Arbitrary<string>): readonly fc.Arbitrary<RandomCall>[] => [
  call('mkdirSync', [place]),
  call('mkdirSync', [place]),
  call('writeFileSync', [place], text),
  call('writeFileSync', [place], text),
  call('appendFileSync', [place], text),
  call('readFileSync', [place], fc.constant('utf8')),
  call('truncateSync', [place], fc.constantFrom(0, 1, 5, 66_000)),
  call('unlinkSync', [place]),
  call('rmdirSync', [place]),
  call('readdirSync', [place]),
  call('existsSync', [place]),
]
const otherCalls: readonly fc.Arbitrary<RandomCall>[] = [
  call('mkdirSync', [strangePath], fc.constantFrom({ recursive: true }, { mode: 0o700 })),
  call('renameSync', [strangePath, strangePath]),
  call('renameSync', [path, path]),
  call('linkSync', [path, path]),
  call('symlinkSync', [path], fc.constantFrom('a', 'b', 'c/d', '../a', '../b/a', '.', 'x/')),
  call('copyFileSync', [path, path], fc.constantFrom(0, 1)),
  call('readlinkSync', [strangePath]),
  call('realpathSync.native', [strangePath]),
  call('chmodSync', [path], fc.constantFrom(0o700, 0o755, 0o777)),
  call('rmSync', [path], fc.constantFrom({ recursive: true, force: true }, { force: true })),
  call('accessSync', [strangePath], fc.constantFrom(0, 1, 2, 4)),
  call('utimesSync', [strangePath], fc.constant(5), fc.constant(7.25)),
  call('statSync', [strangePath]),
  call('lstatSync', [strangePath]),
  call('openAndUse', [strangePath], flag, text, fc.constantFrom(null, 0, 3, 70_000)),
]

const calls = fc.array(fc.oneof(...plainCalls(strangePath), ...otherCalls), { minLength: 5, maxLength: 50 })

/** Makes one call; what it answers, comparable. */
function make(fs: AnyFs, root: string, { name, paths, rest }: RandomCall): unknown {
  const full = paths.map((each) => `${root}/${each}`)
  return attempt(() => {
    if (name === 'rmSync') return codeOf(attempt(() => fs.rmSync(full[0] ?? '', rest[0] as nodeFs.RmOptions)))
    // Of a directory Node's first makes, and may remove, what it would copy to; ours refuses at once.
    if (name === 'copyFileSync' && fs.statSync(full[0] ?? '').isDirectory()) return 'a directory'
    if (name === 'openAndUse') return use(fs, full[0] ?? '', rest)
    if (name === 'symlinkSync') return fs.symlinkSync(String(rest[0]), full[0] ?? '')
    if (name === 'realpathSync.native') return fs.realpathSync.native(full[0] ?? '')
    const result = Reflect.apply(Reflect.get(fs, name) as () => unknown, fs, [...full, ...rest])
    if (Array.isArray(result)) return result.sort()
    if (typeof result !== 'object' || result === null || !('nlink' in result)) return result
    const { mode, nlink, size, mtimeMs } = result as nodeFs.Stats
    // How large a directory is, and when it was changed, is a file system's own affair.
    return (mode & 0o170000) === 0o040000 ? [mode] : [mode, nlink, size, mtimeMs === 7250]
  })
}

/** What is done to a file that is open, and is gone when it is closed. */
function use(fs: AnyFs, at: string, [flags, written, position]: readonly unknown[]): unknown {
  const file = fs.openSync(at, flags as string)
  const buffer = Buffer.alloc(100)
  try {
    return [
      attempt(() => fs.writeSync(file, String(written), position as number | null)),
      attempt(() => fs.readSync(file, buffer, 0, 100, position as number | null)),
      attempt(() => fs.ftruncateSync(file, 70_001)),
      attempt(() => fs.readSync(file, buffer, 0, 50, null)),
      buffer.toString('latin1'),
      fs.fstatSync(file).size * Number(fs.fstatSync(file).isFile()),
    ]
  } finally {
    fs.closeSync(file)
  }
}

function caseOf(all: readonly RandomCall[], answer: (error: unknown) => unknown = (each) => each): NodeFsCase {
  return {
    name: 'random calls',
    act: (fs, root) => {
      // One deeper: symlinks may lead out of it, and not to another case's files.
      fs.mkdirSync(`${root}/top`)
      return [...all.map((each) => answer(make(fs, `${root}/top`, each))), listing(fs, root).map(answer)]
    },
  }
}

function ownCredentials() {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  return { uid, gid, additionalGids: process.getgroups?.() ?? [] }
}

/** The case's own directory is above layers: what is changed in it is copied up. */
function ours(layers = 0): Subject {
  const lowers = Array.from({ length: layers }, (_, each) => layerOf(rawTar([{ name: `lower/${each}`, body: 'x' }])))
  const tree = new UnionFs({ lowers })
  tree.create(tree.root, 'home', { type: 'directory', mode: 0o755, ...ownCredentials() })
  return { fs: nodeFsOf(tree, { credentials: ownCredentials(), umask: process.umask() }), root: '/home' }
}

async function agree(all: readonly RandomCall[], subjects: readonly Subject[], answer?: (error: unknown) => unknown): Promise<void> {
  const [first, ...others] = await Promise.all(subjects.map((subject) => outcomeOf(caseOf(all, answer), subject)))
  for (const other of others)
    for (const [place, expected] of (first as unknown[]).entries())
      assert.equal(
        differences((other as unknown[])[place], expected),
        [],
        `${place}: ${JSON.stringify([all[place], (other as unknown[])[place], expected])}`,
      )
}

test.needs(NODE_20)('ours answers as node:fs does, error by error', () =>
  fc.assert(
    fc.asyncProperty(calls, fc.integer({ min: 0, max: 2 }), (all, layers) => agree(all, [{ fs: nodeFs, root: folder }, ours(layers)])),
    { numRuns: 150, includeErrorInReport: true },
  ),
)

test('memfs, node:fs and ours agree on what all have, by the codes of their errors', () => {
  // memfs knows no umask: lines of the listing lose their modes.
  const codes = (result: unknown) => {
    if (typeof result === 'string') return result.replace(/^(\S+) \d+ /, '$1 ')
    if (!(result instanceof Error)) return result
    const { code } = result as NodeJS.ErrnoException
    return code === 'EPERM' ? 'EISDIR' : code
  }
  const common = fc.array(fc.oneof(...plainCalls(path)), { minLength: 5, maxLength: 50 })
  return fc.assert(
    fc.asyncProperty(common, (all) => {
      const { vol, fs } = memfs()
      vol.mkdirSync('/home')
      return agree(all, [{ fs: nodeFs, root: folder }, ours(), { fs: fs as unknown as AnyFs, root: '/home' }], codes)
    }),
    { numRuns: 100, includeErrorInReport: true },
  )
})

test('nothing is left', () => rmSync(folder, { recursive: true }))

test.run()
