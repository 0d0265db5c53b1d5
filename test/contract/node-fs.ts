/**
 * What whoever takes a `node:fs` relies on, as cases that answer with something to compare. Node's own is the oracle: it is asked in a folder
 * of the host's, and what it says, error by error and word by word, is what every other has to say.
 */
import { Buffer } from 'node:buffer'
import type { EventEmitter } from 'node:events'
import type nodeFs from 'node:fs'
import { promisify } from 'node:util'

/** Something that claims to be `node:fs`. */
export type AnyFs = typeof nodeFs

/** One of them, and the directory in it that cases may use: no slash at its end. */
export interface Subject {
  readonly fs: AnyFs
  readonly root: string
}

/** A case: what it is about, and what it does in an empty directory. */
export interface NodeFsCase {
  readonly name: string
  readonly act: (fs: AnyFs, root: string) => unknown
  /** Why memfs answers otherwise. */
  readonly memfs?: string
  /** What later Nodes than 20 answer otherwise. */
  readonly later?: string
}

let folders = 0

/** What a case answers, comparable: the directory is called `ROOT`, errors are what a caller sees of them. */
export async function outcomeOf({ act }: NodeFsCase, { fs, root }: Subject): Promise<unknown> {
  const folder = `${root}/case-${++folders}`
  fs.mkdirSync(folder)
  try {
    return plain(await act(fs, folder), folder)
  } catch (error) {
    return { thrown: plain(error, folder) }
  }
}

/** The same with what differs between two places, or two days, taken out. */
function plain(value: unknown, folder: string): unknown {
  if (typeof value === 'string') return value.replaceAll(folder, 'ROOT')
  if (typeof value === 'bigint') return `${value}n`
  if (Buffer.isBuffer(value)) return { bytes: plain(value.toString('latin1'), folder) }
  if (value instanceof Error) {
    const { message, name, code, errno, syscall, path, dest } = value as NodeJS.ErrnoException & { dest?: string }
    return plain({ message, name, code, errno, syscall, path, dest }, folder)
  }
  if (Array.isArray(value)) return value.map((each) => plain(each, folder))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, each]) => each !== undefined)
        .map(([key, each]) => [key, plain(each, folder)]),
    )
  return value
}

/** Where two outcomes differ, each place with what either has: a whole outcome is too long to be read. */
export function differences(actual: unknown, expected: unknown, place = ''): string[] {
  if (isObject(actual) && isObject(expected)) {
    const keys = new Set([...Object.keys(actual), ...Object.keys(expected)])
    return [...keys].flatMap((key) => differences(actual[key], expected[key], `${place}/${key}`))
  }
  return Object.is(actual, expected) ? [] : [`${place}: ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}`]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** What an action answers, or the error it throws. */
export function attempt(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}

/** The same of a promise. */
export async function settled(action: () => unknown): Promise<unknown> {
  try {
    return await action()
  } catch (error) {
    return error
  }
}

/** Some files to be asked about. */
function furnish(fs: AnyFs, root: string): void {
  fs.writeFileSync(`${root}/file`, 'some text\n')
  fs.mkdirSync(`${root}/directory/inside`, { recursive: true })
  fs.writeFileSync(`${root}/directory/leaf`, 'leaf')
  fs.symlinkSync('file', `${root}/link`)
  fs.symlinkSync('nowhere', `${root}/dangling`)
  fs.symlinkSync('loop', `${root}/loop`)
}

/** Calls that take one path, all by the same arguments. */
const PATH_CALLS: Readonly<Record<string, readonly unknown[]>> = {
  accessSync: [],
  statSync: [],
  lstatSync: [],
  readlinkSync: [],
  'realpathSync.native': [],
  readdirSync: [],
  opendirSync: [],
  openSync: ['r'],
  readFileSync: ['utf8'],
  writeFileSync: ['new'],
  appendFileSync: ['more'],
  truncateSync: [3],
  mkdirSync: [],
  rmdirSync: [],
  unlinkSync: [],
  rmSync: [],
  chmodSync: [0o710],
  utimesSync: [1, 2],
  lutimesSync: [1, 2],
}
const PLACES = ['file', 'directory', 'link', 'dangling', 'loop', 'missing', 'missing/below', 'file/below', 'directory/', 'file/', '']
/** What memfs is known to say otherwise of, and why nobody relies on it. */
const MEMFS_WORDS = 'memfs has errors and checks of its own in corners'

/** What a call gives, as far as it is the same everywhere. */
function shown(fs: AnyFs, result: unknown): unknown {
  if (typeof result === 'number') {
    fs.closeSync(result)
    return 'a descriptor'
  }
  if (typeof result !== 'object' || result === null) return result
  if ('closeSync' in result) {
    ;(result as nodeFs.Dir).closeSync()
    return 'a directory'
  }
  if ('isFile' in result) return kindOf(result as nodeFs.Stats)
  return result
}

function kindOf(entry: nodeFs.Stats | nodeFs.Dirent): string {
  const kinds = ['isFile', 'isDirectory', 'isSymbolicLink', 'isFIFO', 'isSocket', 'isCharacterDevice', 'isBlockDevice'] as const
  return kinds.filter((kind) => entry[kind]()).join(' ')
}

/** Names below a directory with all that can be seen of them. */
export function listing(fs: AnyFs, root: string): string[] {
  const lines: string[] = []
  const visit = (folder: string, shownFolder: string): void => {
    for (const name of [...fs.readdirSync(folder)].sort()) {
      const path = `${folder}/${name}`
      const stat = fs.lstatSync(path)
      const what = stat.isSymbolicLink() ? `-> ${fs.readlinkSync(path)}` : stat.isFile() ? fs.readFileSync(path, 'latin1') : '/'
      const mode = stat.isSymbolicLink() ? '' : (stat.mode & 0o7777).toString(8)
      lines.push(`${shownFolder}${name} ${mode} ${stat.isDirectory() ? '' : stat.nlink} ${what}`)
      if (stat.isDirectory()) visit(path, `${shownFolder}${name}/`)
    }
  }
  visit(root, '')
  return lines
}

/** Calls whose errors name a path, or a step, in some versions of Node and in others not. */
const VERSIONED = new Set(['opendirSync', 'rmSync'])

function callOf(fs: AnyFs, name: string): (...args: readonly unknown[]) => unknown {
  return name.split('.').reduce<unknown>((object, key) => Reflect.get(object as object, key), fs) as (
    ...args: readonly unknown[]
  ) => unknown
}

/** Of an error its code and kind: its words change with Node's versions. */
export function codeOf(result: unknown): unknown {
  return result instanceof Error ? `${result.name} ${(result as NodeJS.ErrnoException).code}` : result
}

function everyCall(): NodeFsCase[] {
  return Object.entries(PATH_CALLS).map(([call, rest]) => ({
    name: `${call} of whatever a path may lead to`,
    memfs: MEMFS_WORDS,
    act: (fs, root) =>
      PLACES.map((place) => {
        fs.rmSync(root, { recursive: true })
        fs.mkdirSync(root)
        furnish(fs, root)
        const path = place === '' ? '' : `${root}/${place}`
        const result = attempt(() => shown(fs, callOf(fs, call)(path, ...rest)))
        return { place, result: VERSIONED.has(call) ? codeOf(result) : result, after: listing(fs, root) }
      }),
  }))
}

/** Calls with arguments that are none; each throws before it does anything. */
const MISTAKES: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  openSync: [[], [7], [null], [{}], ['a\0b'], ['x', 'rw'], ['x', 1.5], ['x', 'r', 'nine'], ['x', 'r', -1], ['x', 'r', {}]],
  readFileSync: [[], [undefined], [['x']], ['x', 'no-encoding'], ['x', 5], ['x', { encoding: 'no-encoding' }], [-1], [1.5]],
  writeFileSync: [['x'], ['x', 7], ['x', null], ['x', {}], ['x', 'text', { flag: 'zz' }], ['x', 'text', { mode: '9' }]],
  statSync: [[], [Symbol.iterator], [() => {}], [7n]],
  mkdirSync: [[], ['x', 'w'], ['x', { mode: 'abc' }], ['x', { recursive: 1 }]],
  readSync: [
    [],
    ['7'],
    [1.5, new Uint8Array(4)],
    [-1, new Uint8Array(4)],
    [2 ** 31, new Uint8Array(4)],
    [9999, 'x'],
    [9999, new Uint8Array(4), 5],
    [9999, new Uint8Array(4), 0, 5],
    [9999, new Uint8Array(4), -1],
  ],
  writeSync: [[], [9999], [9999, 5], [9999, {}], [9999, new Uint8Array(4), 5], [9999, new Uint8Array(4), 0, 5]],
  closeSync: [[], ['1'], [-1], [2 ** 31], [1.5]],
  chmodSync: [['x'], ['x', '8'], ['x', -1], ['x', 2 ** 33], ['x', {}]],
  chownSync: [['x'], ['x', '0', 0], ['x', -2, 0], ['x', 0, 2 ** 40]],
  utimesSync: [['x'], ['x', {}, 0], ['x', 0, 'then']],
  truncateSync: [
    ['x', '5'],
    ['x', 1.5],
  ],
  accessSync: [
    ['x', -1],
    ['x', 8],
    ['x', '4'],
  ],
  renameSync: [[], ['x'], ['x', 7], [7, 'x']],
  linkSync: [[], ['x']],
  copyFileSync: [[], ['x'], ['x', 'y', 8], ['x', 'y', 'z']],
  rmSync: [
    ['x', { recursive: 'yes' }],
    ['x', { force: 1 }],
  ],
  readvSync: [[9999], [9999, [7]], [9999, {}]],
  writevSync: [[9999, 'x']],
  stat: [['x'], ['x', {}]],
  readFile: [['x'], ['x', 'utf8'], [7.5, () => {}]],
}

function everyMistake(): NodeFsCase[] {
  return Object.entries(MISTAKES).map(([call, all]) => ({
    name: `${call} with arguments that are none`,
    memfs: 'memfs checks fewer arguments',
    act: (fs) => all.map((args) => codeOf(attempt(() => callOf(fs, call)(...args)))),
  }))
}

const descriptors: readonly NodeFsCase[] = [
  {
    name: 'reads and writes go on where the last one ended, unless a position is given',
    act: (fs, root) => {
      const file = fs.openSync(`${root}/f`, 'w+')
      const buffer = Buffer.alloc(4)
      const answers = [
        fs.writeSync(file, 'abcdef'),
        fs.writeSync(file, Buffer.from('XY'), 0, 2, 1),
        fs.readSync(file, buffer, 0, 4, 0),
        buffer.toString(),
        fs.writeSync(file, 'gh', null, 'utf8'),
        fs.readSync(file, buffer, { position: 6 }),
        buffer.toString(),
        fs.readSync(file, buffer, 0, 4, null),
      ]
      fs.closeSync(file)
      return [answers, fs.readFileSync(`${root}/f`, 'utf8')]
    },
  },
  {
    name: 'a file open for appending is written at its end whatever is asked',
    act: (fs, root) => {
      fs.writeFileSync(`${root}/f`, 'one')
      const file = fs.openSync(`${root}/f`, 'a+')
      fs.writeSync(file, 'two', 0)
      fs.writeSync(file, 'three')
      fs.closeSync(file)
      return fs.readFileSync(`${root}/f`, 'utf8')
    },
    memfs: 'memfs writes at the position',
  },
  {
    name: 'every word for flags, on what is there and what is not',
    act: (fs, root) =>
      ['r', 'rs', 'r+', 'rs+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'a+', 'ax+', 'as', 'as+', 'xa', 'sr'].flatMap((flags) =>
        ['old', 'new'].map((name) => {
          fs.writeFileSync(`${root}/old`, 'old')
          fs.rmSync(`${root}/new`, { force: true })
          return attempt(() => {
            const file = fs.openSync(`${root}/${name}`, flags)
            const written = attempt(() => fs.writeSync(file, 'x'))
            const read = attempt(() => fs.readSync(file, Buffer.alloc(8), 0, 8, 0))
            fs.closeSync(file)
            return [flags, name, written, read, fs.readFileSync(`${root}/${name}`, 'utf8')]
          })
        }),
      ),
    memfs: 'memfs reads what is open for writing only',
  },
  {
    name: 'an open file lives on without its name',
    act: (fs, root) => {
      const file = fs.openSync(`${root}/f`, 'w+')
      fs.writeSync(file, 'still here')
      fs.unlinkSync(`${root}/f`)
      const buffer = Buffer.alloc(20)
      const count = fs.readSync(file, buffer, 0, 20, 0)
      const { nlink, size } = fs.fstatSync(file)
      fs.ftruncateSync(file, 5)
      const short = fs.fstatSync(file).size
      fs.closeSync(file)
      return [count, buffer.toString('utf8', 0, count), nlink, size, short, fs.existsSync(`${root}/f`)]
    },
  },
  {
    name: 'what is closed is EBADF in every call',
    act: (fs, root) => {
      const file = fs.openSync(`${root}/f`, 'w')
      fs.closeSync(file)
      // Whoever runs beside this test may have been given the number: one that nobody has.
      const closed = 2_000_000_001
      return [
        attempt(() => fs.closeSync(closed)),
        attempt(() => fs.readSync(closed, Buffer.alloc(1))),
        attempt(() => fs.writeSync(closed, 'x')),
        attempt(() => fs.fstatSync(closed)),
        attempt(() => fs.ftruncateSync(closed)),
        attempt(() => fs.fchmodSync(closed, 0o600)),
        attempt(() => fs.fchownSync(closed, 0, 0)),
        attempt(() => fs.futimesSync(closed, 1, 1)),
        attempt(() => fs.fsyncSync(closed)),
        attempt(() => fs.fdatasyncSync(closed)),
        attempt(() => fs.readvSync(closed, [Buffer.alloc(1)])),
        attempt(() => fs.writevSync(closed, [Buffer.alloc(1)])),
        codeOf(attempt(() => fs.readFileSync(closed))),
        attempt(() => fs.writeFileSync(closed, 'x')),
      ]
    },
    memfs: 'memfs has no errno here',
  },
  {
    name: 'readv and writev take buffers one after the other',
    act: (fs, root) => {
      const file = fs.openSync(`${root}/f`, 'w+')
      const written = fs.writevSync(file, [Buffer.from('abc'), new Uint16Array([0x6564]), Buffer.from('f')], 1)
      const [first, second] = [Buffer.alloc(2), Buffer.alloc(10)]
      const read = fs.readvSync(file, [first, second], 0)
      fs.closeSync(file)
      return [written, read, first, second]
    },
  },
  {
    name: 'a whole file by descriptor is what is left of it',
    act: (fs, root) => {
      fs.writeFileSync(`${root}/f`, '0123456789')
      const file = fs.openSync(`${root}/f`, 'r+')
      fs.readSync(file, Buffer.alloc(4), 0, 4, null)
      const rest = fs.readFileSync(file, 'utf8')
      fs.writeFileSync(file, 'end')
      fs.closeSync(file)
      return [rest, fs.readFileSync(`${root}/f`, 'utf8')]
    },
  },
  {
    name: 'a file grows with zeros and shrinks',
    act: (fs, root) => {
      fs.writeFileSync(`${root}/f`, 'abc')
      fs.truncateSync(`${root}/f`, 6)
      const long = fs.readFileSync(`${root}/f`)
      fs.truncateSync(`${root}/f`)
      return [long, fs.readFileSync(`${root}/f`), attempt(() => fs.truncateSync(`${root}/f`, -5))]
    },
    memfs: 'memfs refuses a negative length',
  },
  {
    name: 'text in every encoding, and bytes of every kind',
    act: (fs, root) => {
      const path = `${root}/f`
      return ['utf8', 'utf16le', 'latin1', 'base64', 'hex', 'ascii', 'ucs2', 'base64url'].map((encoding) => {
        fs.writeFileSync(path, encoding === 'hex' ? 'c3a9' : 'aé', encoding as BufferEncoding)
        return [encoding, fs.readFileSync(path), fs.readFileSync(path, { encoding: encoding as BufferEncoding })]
      })
    },
  },
]

const paths: readonly NodeFsCase[] = [
  {
    name: 'a path may be text, bytes or a URL',
    act: (fs, root) => {
      fs.writeFileSync(Buffer.from(`${root}/b`), 'bytes')
      fs.writeFileSync(new URL(`file://${root}/u%20v`), 'url')
      return [fs.readdirSync(root), fs.readFileSync(new URL(`file://${root}/b`), 'utf8'), fs.readFileSync(`${root}/u v`, 'utf8')]
    },
  },
  {
    name: 'a URL that is none of a file is refused',
    act: (fs) => [attempt(() => fs.statSync(new URL('http://host/x'))), attempt(() => fs.statSync(new URL('file:///a%00b')))],
    memfs: 'memfs has words of its own',
  },
  {
    name: 'names are bytes: one that is no UTF-8 comes back as it was',
    act: (fs, root) => {
      const name = Buffer.from([0x61, 0xff, 0x62])
      fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name]), 'x')
      return [
        fs.readdirSync(root, { encoding: 'buffer' }),
        fs.readdirSync(root),
        fs.readdirSync(root, 'hex'),
        fs.readdirSync(root, 'latin1'),
      ]
    },
    memfs: 'names are text in memfs',
  },
  {
    name: 'mkdir, recursively and with modes',
    act: (fs, root) => [
      fs.mkdirSync(`${root}/a/b/c`, { recursive: true }),
      fs.mkdirSync(`${root}/a/b/c`, { recursive: true }),
      fs.mkdirSync(`${root}/a/b/d/../e`, { recursive: true }),
      fs.mkdirSync(`${root}/private`, 0o700),
      fs.mkdirSync(`${root}/octal`, '0750'),
      fs.mkdirSync(`${root}/object`, { mode: 0o711 }),
      attempt(() => fs.mkdirSync(`${root}/no/parent`)),
      attempt(() => fs.mkdirSync(`${root}/a`)),
      fs.writeFileSync(`${root}/file`, ''),
      attempt(() => fs.mkdirSync(`${root}/file`, { recursive: true })),
      attempt(() => fs.mkdirSync(`${root}/file/below`, { recursive: true })),
      listing(fs, root),
    ],
    memfs: MEMFS_WORDS,
  },
  {
    name: 'readdir, recursively and with kinds',
    act: (fs, root) => {
      furnish(fs, root)
      const dirent = (entry: nodeFs.Dirent) => `${entry.parentPath} ${entry.name} ${kindOf(entry)}`
      return [
        fs.readdirSync(root).sort(),
        (fs.readdirSync(root, { recursive: true }) as string[]).sort(),
        fs.readdirSync(root, { withFileTypes: true }).map(dirent).sort(),
        fs.readdirSync(root, { withFileTypes: true, recursive: true }).map(dirent).sort(),
      ]
    },
  },
  {
    name: 'rename over what is there, and where it cannot',
    act: (fs, root) => {
      furnish(fs, root)
      fs.mkdirSync(`${root}/empty`)
      fs.writeFileSync(`${root}/other`, 'other')
      const rename = (from: string, to: string) => attempt(() => fs.renameSync(`${root}/${from}`, `${root}/${to}`))
      return [
        rename('other', 'file'),
        rename('file', 'directory'),
        rename('directory', 'file'),
        rename('directory', 'directory/inside/below'),
        rename('inside', 'nothing'),
        rename('empty', 'directory'),
        rename('directory', 'empty'),
        rename('file', 'link'),
        rename('missing', 'x'),
        rename('link', 'no/parent'),
        rename('link/', 'x'),
        listing(fs, root),
      ]
    },
    memfs: 'memfs follows a symlink that it renames, and lets a directory go below itself',
  },
  {
    name: 'hard links count, and a symlink is linked itself',
    act: (fs, root) => {
      furnish(fs, root)
      fs.linkSync(`${root}/file`, `${root}/second`)
      fs.linkSync(`${root}/link`, `${root}/link-too`)
      fs.writeFileSync(`${root}/second`, 'written by the other name')
      return [
        attempt(() => fs.linkSync(`${root}/directory`, `${root}/d`)),
        attempt(() => fs.linkSync(`${root}/file`, `${root}/second`)),
        attempt(() => fs.linkSync(`${root}/missing`, `${root}/x`)),
        fs.statSync(`${root}/file`).ino === fs.statSync(`${root}/second`).ino,
        listing(fs, root),
      ]
    },
    memfs: 'memfs links what a symlink leads to',
  },
  {
    name: 'symlinks keep their text, and realpath goes through them',
    act: (fs, root) => {
      furnish(fs, root)
      fs.symlinkSync('../../directory/', `${root}/directory/inside/up`)
      fs.symlinkSync(`${root}/link`, `${root}/absolute`, 'file')
      return [
        fs.readlinkSync(`${root}/directory/inside/up`),
        fs.readlinkSync(`${root}/absolute`, 'buffer'),
        fs.realpathSync.native(`${root}/directory/inside/up/../link`),
        fs.realpathSync.native(`${root}/absolute`),
        fs.realpathSync(`${root}/directory/./inside/..//leaf`),
        attempt(() => fs.symlinkSync('x', `${root}/file`)),
        attempt(() => fs.symlinkSync('', `${root}/nothing`)),
        attempt(() => fs.realpathSync.native(`${root}/loop`)),
        fs.statSync(`${root}/directory/inside/up/leaf`).size,
      ]
    },
    memfs: 'memfs normalises paths before it walks them',
  },
  {
    name: 'copyFile, and its modes',
    act: (fs, root) => {
      furnish(fs, root)
      fs.chmodSync(`${root}/file`, 0o640)
      const { COPYFILE_EXCL, COPYFILE_FICLONE } = fs.constants
      return [
        fs.copyFileSync(`${root}/file`, `${root}/copy`),
        attempt(() => fs.copyFileSync(`${root}/file`, `${root}/copy`, COPYFILE_EXCL)),
        fs.copyFileSync(`${root}/link`, `${root}/of-link`, COPYFILE_FICLONE),
        attempt(() => fs.copyFileSync(`${root}/directory`, `${root}/x`)),
        attempt(() => fs.copyFileSync(`${root}/file`, `${root}/directory`)),
        attempt(() => fs.copyFileSync(`${root}/missing`, `${root}/x`)),
        fs.copyFileSync(`${root}/file`, `${root}/file`),
        listing(fs, root),
      ]
    },
    memfs: MEMFS_WORDS,
  },
  {
    name: 'cp of a tree, and what it does not copy',
    later: 'errors of other classes; a link to be dereferenced is refused as a directory',
    act: (fs, root) => {
      furnish(fs, root)
      fs.chmodSync(`${root}/directory`, 0o750)
      const cp = (from: string, to: string, options?: nodeFs.CopySyncOptions) =>
        codeOf(attempt(() => fs.cpSync(`${root}/${from}`, `${root}/${to}`, options)))
      return [
        cp('directory', 'x'),
        cp('directory', 'deep/er/copy', { recursive: true }),
        cp('directory', 'deep/er/copy', { recursive: true, force: false }),
        cp('directory', 'deep/er/copy', { recursive: true, force: false, errorOnExist: true }),
        cp('link', 'verbatim', { verbatimSymlinks: true }),
        cp('link', 'resolved'),
        cp('link', 'dereferenced', { dereference: true }),
        cp('directory', 'directory/inside/self', { recursive: true }),
        cp('directory', 'file', { recursive: true }),
        cp('file', 'directory'),
        cp('missing', 'x'),
        cp('directory', 'filtered', { recursive: true, filter: (source) => !source.endsWith('leaf') }),
        listing(fs, root),
      ]
    },
    memfs: 'memfs has words of its own',
  },
  {
    name: 'rm, with force and without',
    act: (fs, root) => {
      furnish(fs, root)
      fs.symlinkSync('directory', `${root}/to-directory`)
      return [
        codeOf(attempt(() => fs.rmSync(`${root}/directory`))),
        codeOf(attempt(() => fs.rmSync(`${root}/missing`))),
        fs.rmSync(`${root}/missing`, { force: true }),
        fs.rmSync(`${root}/to-directory`, { recursive: true }),
        fs.rmSync(`${root}/file`),
        listing(fs, root),
        fs.rmSync(`${root}/directory`, { recursive: true }),
        listing(fs, root),
      ]
    },
    memfs: 'memfs has words of its own',
  },
  {
    name: 'mkdtemp makes a directory of its own',
    act: (fs, root) => {
      const made = fs.mkdtempSync(`${root}/tmp-`)
      return [
        made.replace(/.{6}$/, '……'),
        (fs.statSync(made).mode & 0o777).toString(8),
        attempt(() => fs.mkdtempSync(`${root}/no/parent-`)),
        fs.mkdtempSync(`${root}/tmp-`) === made,
      ]
    },
    memfs: MEMFS_WORDS,
  },
  {
    name: 'times to the microsecond, as numbers, texts and Dates, of a symlink its own',
    later: 'doubles are not rounded to the microsecond',
    act: (fs, root) => {
      furnish(fs, root)
      const times = (name: string) => {
        const { atimeMs, mtimeMs, mtime } = fs.lstatSync(`${root}/${name}`)
        return [atimeMs, mtimeMs, mtime.toISOString()]
      }
      fs.utimesSync(`${root}/file`, 1.5, '1700000000.25')
      const first = times('file')
      fs.utimesSync(`${root}/link`, new Date(5000), new Date('2001-02-03T04:05:06.789Z'))
      fs.lutimesSync(`${root}/link`, 7, 8)
      const file = fs.openSync(`${root}/directory`, 'r')
      fs.futimesSync(file, 9, 10.125)
      fs.closeSync(file)
      const { mtimeNs, mtimeMs } = fs.statSync(`${root}/file`, { bigint: true })
      return [first, times('file'), times('link'), times('directory'), mtimeNs, mtimeMs]
    },
    memfs: 'memfs rounds',
  },
  {
    name: 'stat tells what there is, in numbers and bigints',
    later: 'dates are made when they are asked for; statfs has one more field',
    act: (fs, root) => {
      furnish(fs, root)
      const fields = (stat: nodeFs.Stats | nodeFs.BigIntStats) => [Object.keys(stat).sort(), kindOf(stat as nodeFs.Stats)]
      const { mode, nlink, size, uid, gid } = fs.statSync(`${root}/file`)
      const big = fs.statSync(`${root}/file`, { bigint: true })
      return [
        [mode, nlink, size, uid, gid],
        [big.mode, big.nlink, big.size],
        fields(fs.lstatSync(`${root}/link`)),
        Object.keys(fs.lstatSync(`${root}/link`, { bigint: true })).length,
        fs.statSync(`${root}/missing`, { throwIfNoEntry: false }),
        Object.keys(fs.statfsSync(root)).sort(),
        typeof fs.statfsSync(root, { bigint: true }).blocks,
      ]
    },
    memfs: 'memfs shows other fields',
  },
  {
    name: 'permissions decide',
    act: (fs, root) => {
      furnish(fs, root)
      fs.chmodSync(`${root}/file`, 0o000)
      fs.chmodSync(`${root}/directory`, 0o500)
      const answers = [
        attempt(() => fs.readFileSync(`${root}/file`)),
        attempt(() => fs.writeFileSync(`${root}/file`, 'x')),
        attempt(() => fs.accessSync(`${root}/file`, fs.constants.R_OK)),
        fs.accessSync(`${root}/file`, fs.constants.F_OK),
        attempt(() => fs.writeFileSync(`${root}/directory/new`, 'x')),
        attempt(() => fs.unlinkSync(`${root}/directory/leaf`)),
        codeOf(attempt(() => fs.rmSync(`${root}/directory`, { recursive: true }))),
        attempt(() => fs.renameSync(`${root}/directory/leaf`, `${root}/leaf`)),
        attempt(() => fs.chownSync(`${root}/file`, 0, 0)),
      ]
      fs.chmodSync(`${root}/directory`, 0o000)
      answers.push(
        attempt(() => fs.readdirSync(`${root}/directory`)),
        attempt(() => fs.statSync(`${root}/directory/leaf`)),
        fs.existsSync(`${root}/directory/leaf`),
      )
      fs.chmodSync(`${root}/directory`, 0o700)
      fs.chmodSync(`${root}/file`, 0o600)
      return answers
    },
    memfs: 'memfs asks other bits',
  },
]

const forms: readonly NodeFsCase[] = [
  {
    name: 'callbacks get what the synchronous calls give, later',
    act: async (fs, root) => {
      furnish(fs, root)
      const order: string[] = []
      const done = new Promise((resolve) => fs.stat(`${root}/file`, (error, stat) => resolve([order.push('called'), error, stat.size])))
      order.push('after')
      return [
        await done,
        order,
        await promisify(fs.readFile)(`${root}/file`, 'utf8'),
        await settled(() => promisify(fs.readFile)(`${root}/missing`)),
        await promisify(fs.exists)(`${root}/file`),
        await new Promise((resolve) => fs.exists(`${root}/missing`, resolve)),
        await new Promise((resolve) => fs.mkdir(`${root}/made`, (...args) => resolve(args))),
        await new Promise((resolve) => fs.realpath.native(`${root}/link`, (_, path) => resolve(path))),
      ]
    },
    memfs: 'memfs promises no exists',
  },
  {
    name: 'callbacks of read and write get the count and the buffer',
    act: async (fs, root) => {
      const file = await promisify(fs.open)(`${root}/f`, 'w+')
      const wrote = await new Promise((resolve) => fs.write(file, Buffer.from('abc'), 0, 3, 0, (...args) => resolve(args)))
      const text = await new Promise((resolve) => fs.write(file, 'def', (...args) => resolve(args)))
      const read = await new Promise((resolve) => fs.read(file, Buffer.alloc(3), 0, 3, 1, (...args) => resolve(args)))
      const promised = await promisify(fs.read)(file, Buffer.alloc(2), 0, 2, 0)
      await promisify(fs.close)(file)
      return [wrote, text, read, promised]
    },
    memfs: 'memfs has no promise form of read',
  },
  {
    name: 'promises do what the synchronous calls do',
    act: async ({ promises, ...fs }, root) => {
      furnish(fs as AnyFs, root)
      await promises.writeFile(`${root}/p`, 'promised')
      await promises.appendFile(`${root}/p`, ' more')
      await promises.mkdir(`${root}/x/y`, { recursive: true })
      await promises.rename(`${root}/p`, `${root}/x/p`)
      await promises.symlink('p', `${root}/x/l`)
      await promises.chmod(`${root}/x/p`, 0o640)
      await promises.truncate(`${root}/x/p`, 8)
      await promises.cp(`${root}/x`, `${root}/z`, { recursive: true, filter: async () => true })
      await promises.rm(`${root}/x`, { recursive: true })
      await promises.writeFile(`${root}/pieces`, ['a', 'b', 'c'])
      await promises.copyFile(`${root}/file`, `${root}/copy`)
      return [
        await promises.readFile(`${root}/z/p`, 'utf8'),
        (await promises.stat(`${root}/z/p`)).size,
        await promises.readlink(`${root}/link`),
        await promises.access(`${root}/file`),
        await settled(() => promises.access(`${root}/missing`)),
        await settled(() => promises.readdir(`${root}/file`)),
        await settled(() => promises.unlink(`${root}/directory`)),
        listing(fs as AnyFs, root),
      ]
    },
    memfs: 'memfs copies a symlink of a tree otherwise',
  },
  {
    name: 'a FileHandle does on its file what the calls do, until it is closed',
    act: async ({ promises, ...fs }, root) => {
      const handle = await promises.open(`${root}/f`, 'w+')
      const events: string[] = []
      // The declarations know nothing of its events.
      ;(handle as unknown as EventEmitter).on('close', () => events.push('close'))
      await handle.writeFile('0123456789')
      const read = await handle.read(Buffer.alloc(4), 0, 4, 2)
      const options = await handle.read({ buffer: Buffer.alloc(3), position: 0 })
      const written = await handle.write('AB', 4)
      const vector = await handle.writev([Buffer.from('x'), Buffer.from('y')], 8)
      const vectorRead = await handle.readv([Buffer.alloc(2), Buffer.alloc(3)], 0)
      await handle.truncate(9)
      await handle.utimes(1, 2)
      await handle.chmod(0o600)
      await handle.sync()
      await handle.datasync()
      const { size, mtimeMs } = await handle.stat()
      const isNumber = handle.fd >= 0
      await handle.close()
      await handle.close()
      const closed = (await settled(() => handle.read(Buffer.alloc(1)))) as NodeJS.ErrnoException
      const { code, message } = closed
      return [
        read,
        options,
        written,
        vector,
        vectorRead,
        size,
        mtimeMs,
        isNumber,
        handle.fd,
        code,
        message,
        events,
        listing(fs as AnyFs, root),
      ]
    },
    memfs: 'memfs answers otherwise when it is closed',
  },
  {
    name: 'lines and pieces of a FileHandle',
    act: async ({ promises }, root) => {
      await promises.writeFile(`${root}/f`, 'one\r\ntwo\nthree')
      const lines: string[] = []
      for await (const line of (await promises.open(`${root}/f`)).readLines()) lines.push(line)
      const handle = await promises.open(`${root}/f`, 'r')
      const pieces: Buffer[] = []
      for await (const piece of handle.createReadStream({ start: 5, end: 7 })) pieces.push(piece as Buffer)
      const closed = handle.fd
      const writer = await promises.open(`${root}/g`, 'w')
      const stream = writer.createWriteStream()
      await new Promise((resolve) => stream.end('streamed', () => resolve(null)))
      return [lines, Buffer.concat(pieces), closed, await promises.readFile(`${root}/g`, 'utf8')]
    },
    memfs: 'memfs closes no handle with its stream',
  },
  {
    name: 'an aborted call is an AbortError',
    act: async ({ promises, readFile }, root) => {
      await promises.writeFile(`${root}/f`, 'x')
      const controller = new AbortController()
      const promise = settled(() => promises.readFile(`${root}/f`, { signal: controller.signal }))
      const called = new Promise((resolve) => readFile(`${root}/f`, { signal: controller.signal }, resolve))
      controller.abort()
      const words = (error: unknown) => [(error as Error).name, (error as NodeJS.ErrnoException).code]
      return [
        words(await promise),
        words(await called),
        words(await settled(() => promises.readFile(`${root}/f`, { signal: controller.signal }))),
      ]
    },
    memfs: 'memfs does not look at the signal',
  },
  {
    name: 'a Dir is read entry by entry, in all three forms',
    act: async (fs, root) => {
      furnish(fs, root)
      const names: string[] = []
      for await (const entry of await fs.promises.opendir(root)) names.push(`${entry.name} ${kindOf(entry)}`)
      const opened = fs.opendirSync(`${root}/directory`)
      const sync = [opened.readSync()?.name, opened.readSync()?.name].sort()
      const end = opened.readSync()
      opened.closeSync()
      const later = await promisify(fs.opendir)(root, {})
      const first = await later.read()
      await later.close()
      const all: string[] = []
      for await (const entry of await fs.promises.opendir(root, { recursive: true })) all.push(`${entry.parentPath}/${entry.name}`)
      return [
        names.sort(),
        sync,
        end,
        first !== null,
        opened.path,
        all.sort(),
        attempt(() => opened.readSync()),
        attempt(() => opened.closeSync()),
        await settled(() => later.close()),
      ]
    },
    memfs: MEMFS_WORDS,
  },
  {
    name: 'streams read and write, in part too',
    act: async (fs, root) => {
      const collect = async (stream: nodeFs.ReadStream) => {
        const pieces: unknown[] = []
        for await (const piece of stream) pieces.push(piece)
        return pieces
      }
      const write = (stream: nodeFs.WriteStream, pieces: readonly string[]) =>
        new Promise((resolve) => {
          stream.on('error', resolve)
          stream.on('close', () => resolve(stream.bytesWritten))
          for (const piece of pieces) stream.write(piece)
          stream.end()
        })
      return [
        await write(fs.createWriteStream(`${root}/f`), ['hello ', 'world']),
        await write(fs.createWriteStream(`${root}/f`, { flags: 'a' }), ['!']),
        await write(fs.createWriteStream(`${root}/f`, { flags: 'r+', start: 6 }), ['WORLD']),
        await collect(fs.createReadStream(`${root}/f`, 'utf8')),
        await collect(fs.createReadStream(`${root}/f`, { start: 2, end: 8, highWaterMark: 3, encoding: 'latin1' })),
        await settled(() => collect(fs.createReadStream(`${root}/missing`))),
        await write(fs.createWriteStream(`${root}/no/parent`), ['x']),
        fs.createReadStream(`${root}/f`).on('error', () => {}) instanceof fs.ReadStream,
        fs.readFileSync(`${root}/f`, 'utf8'),
      ]
    },
    memfs: MEMFS_WORDS,
  },
]

/** All of them. */
export const NODE_FS_CASES: readonly NodeFsCase[] = [...everyCall(), ...everyMistake(), ...descriptors, ...paths, ...forms]
