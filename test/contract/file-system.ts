import * as assert from 'uvu/assert'
import { ErrnoError, type ErrnoName } from '../../src/fs/errno.js'
import type { FileSystem, FileType, Ino, NewInode } from '../../src/fs/file-system.js'
import type { TestSuite } from '../support/suite.js'

/** What an implementation may lack; a test that needs it is not registered for it. */
export type Ability = 'xattrs' | 'devices' | 'retain' | 'directory-link-count' | 'symlink-link'

/** An implementation under test. */
export interface FileSystemUnderTest {
  readonly name: string
  /** An empty writable directory to work in, in a fresh tree. */
  make(): { readonly fs: FileSystem; readonly directory: Ino }
  readonly lacks?: readonly Ability[]
}

const owner = { uid: 0, gid: 0 }
const file: NewInode = { type: 'file', mode: 0o644, ...owner }
const folder: NewInode = { type: 'directory', mode: 0o755, ...owner }
const symlink = (target: string): NewInode => ({ type: 'symlink', mode: 0o777, target, ...owner })

/** Asserts that `call` throws an ErrnoError of one of `codes`. */
export function fails(codes: ErrnoName | readonly ErrnoName[], call: () => unknown): void {
  assert.throws(call, (error: unknown) => {
    assert.instance(error, ErrnoError)
    assert.ok([codes].flat().includes((error as ErrnoError).code), `${(error as ErrnoError).code} instead of ${codes}`)
    return true
  })
}

/** Registers what every file system must do. */
export function fileSystemContract(test: TestSuite, { name, make, lacks = [] }: FileSystemUnderTest): void {
  const check = (title: string, body: (fs: FileSystem, directory: Ino) => void, needs?: Ability) => {
    if (needs !== undefined && lacks.includes(needs)) return
    test(`${name}: ${title}`, () => {
      const { fs, directory } = make()
      body(fs, directory)
    })
  }
  const put = (fs: FileSystem, directory: Ino, name_: string, text: string): Ino => {
    const ino = fs.create(directory, name_, file)
    if (text !== '') fs.write(ino, Buffer.from(text), 0)
    return ino
  }
  const textOf = (fs: FileSystem, ino: Ino): string => {
    const buffer = Buffer.alloc(fs.stat(ino).size + 10)
    return buffer.toString('latin1', 0, fs.read(ino, buffer, 0))
  }
  const names = (fs: FileSystem, directory: Ino) => fs.readdir(directory).map((entry) => entry.name)

  check('a new directory is empty', (fs, d) => {
    assert.equal(fs.readdir(d), [])
    assert.is(fs.stat(d).type, 'directory')
    assert.is(fs.lookup(d, 'x'), undefined)
  })
  check('what is created is found by lookup, readdir and stat', (fs, d) => {
    const ino = fs.create(d, 'f', { ...file, mode: 0o640 })
    assert.is(fs.lookup(d, 'f'), ino)
    assert.equal(fs.readdir(d), [{ name: 'f', ino, type: 'file' as FileType }])
    const stat = fs.stat(ino)
    assert.equal([stat.ino, stat.type, stat.mode, stat.size, stat.linkCount], [ino, 'file', 0o640, 0, 1])
  })
  check('a name that exists cannot be created', (fs, d) => {
    fs.create(d, 'f', file)
    for (const kind of [file, folder, symlink('x')]) fails('EEXIST', () => fs.create(d, 'f', kind))
  })
  check('nothing is in a file', (fs, d) => {
    const ino = fs.create(d, 'f', file)
    fails('ENOTDIR', () => fs.lookup(ino, 'x'))
    fails('ENOTDIR', () => fs.readdir(ino))
    fails('ENOTDIR', () => fs.create(ino, 'x', file))
  })
  check('a name has at most 255 bytes', (fs, d) => {
    fs.create(d, 'n'.repeat(255), file)
    fails('ENAMETOOLONG', () => fs.create(d, 'n'.repeat(256), file))
    const ino = fs.create(d, 'f', file)
    fails('ENAMETOOLONG', () => fs.link(ino, d, 'n'.repeat(256)))
    fails('ENAMETOOLONG', () => fs.rename(d, 'f', d, 'n'.repeat(256)))
  })
  check('bytes are read back where they were written', (fs, d) => {
    const ino = put(fs, d, 'f', 'hello world')
    assert.is(fs.write(ino, Buffer.from('W'), 6), 1)
    assert.is(textOf(fs, ino), 'hello World')
    const part = Buffer.alloc(3)
    assert.is(fs.read(ino, part, 9), 2)
    assert.is(part.toString('latin1', 0, 2), 'ld')
    assert.is(fs.read(ino, part, 11), 0)
    assert.is(fs.read(ino, part, 1000), 0)
  })
  check('a gap before what is written reads as zeros', (fs, d) => {
    const ino = put(fs, d, 'f', 'a')
    fs.write(ino, Buffer.from('b'), 200_000)
    const buffer = Buffer.alloc(200_001, 1)
    assert.is(fs.read(ino, buffer, 0), 200_001)
    assert.is(buffer[0], 0x61)
    assert.is(buffer[200_000], 0x62)
    assert.ok(buffer.subarray(1, 200_000).every((byte) => byte === 0))
  })
  check('a write across many pages is read back whole', (fs, d) => {
    const ino = fs.create(d, 'f', file)
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251))
    fs.write(ino, bytes, 777)
    const buffer = Buffer.alloc(300_000)
    fs.read(ino, buffer, 777)
    assert.is(Buffer.compare(buffer, bytes), 0)
  })
  check('a file cut short and extended has zeros where it was cut', (fs, d) => {
    const ino = put(fs, d, 'f', 'hello world')
    fs.setAttributes(ino, { size: 4 })
    assert.is(textOf(fs, ino), 'hell')
    fs.setAttributes(ino, { size: 6 })
    assert.is(textOf(fs, ino), 'hell\0\0')
    assert.is(fs.stat(ino).size, 6)
  })
  check('a directory has no contents', (fs, d) => {
    fails('EISDIR', () => fs.read(d, Buffer.alloc(1), 0))
    fails('EISDIR', () => fs.write(d, Buffer.alloc(1), 0))
  })
  check('a symlink keeps its target, whatever it says', (fs, d) => {
    const ino = fs.create(d, 's', symlink('../../no/such'))
    assert.is(fs.readlink(ino), '../../no/such')
    assert.is(fs.stat(ino).type, 'symlink')
    fails('EINVAL', () => fs.readlink(fs.create(d, 'f', file)))
  })
  check('a hard link is the same file', (fs, d) => {
    const ino = put(fs, d, 'a', 'x')
    const sub = fs.create(d, 'sub', folder)
    fs.link(ino, sub, 'b')
    assert.is(fs.lookup(sub, 'b'), ino)
    assert.is(fs.stat(ino).linkCount, 2)
    fs.unlink(d, 'a')
    assert.is(fs.stat(ino).linkCount, 1)
    assert.is(textOf(fs, ino), 'x')
  })
  check('a hard link cannot replace, nor name a directory', (fs, d) => {
    const ino = put(fs, d, 'a', 'x')
    const sub = fs.create(d, 'sub', folder)
    fails('EEXIST', () => fs.link(ino, d, 'sub'))
    fails('EPERM', () => fs.link(sub, d, 'c'))
  })
  check('unlink removes a name, but not of a directory', (fs, d) => {
    put(fs, d, 'a', 'x')
    fs.create(d, 'sub', folder)
    fs.unlink(d, 'a')
    assert.is(fs.lookup(d, 'a'), undefined)
    fails('ENOENT', () => fs.unlink(d, 'a'))
    fails(['EISDIR', 'EPERM'], () => fs.unlink(d, 'sub'))
  })
  check('rmdir removes an empty directory and nothing else', (fs, d) => {
    const sub = fs.create(d, 'sub', folder)
    put(fs, sub, 'f', '')
    fails('ENOTEMPTY', () => fs.rmdir(d, 'sub'))
    fails('ENOTDIR', () => fs.rmdir(sub, 'f'))
    fails('ENOENT', () => fs.rmdir(d, 'missing'))
    fs.unlink(sub, 'f')
    fs.rmdir(d, 'sub')
    assert.equal(names(fs, d), [])
  })
  check('rename moves a file and replaces one', (fs, d) => {
    const a = put(fs, d, 'a', 'A')
    put(fs, d, 'b', 'B')
    const sub = fs.create(d, 'sub', folder)
    fs.rename(d, 'a', d, 'b')
    assert.is(fs.lookup(d, 'a'), undefined)
    assert.is(fs.lookup(d, 'b'), a)
    fs.rename(d, 'b', sub, 'c')
    assert.is(fs.lookup(sub, 'c'), a)
    assert.is(textOf(fs, a), 'A')
    assert.equal(names(fs, d), ['sub'])
  })
  check('rename of a file to itself or to its other name does nothing', (fs, d) => {
    const a = put(fs, d, 'a', 'A')
    fs.rename(d, 'a', d, 'a')
    assert.is(fs.lookup(d, 'a'), a)
    if (lacks.includes('symlink-link')) return
    fs.link(a, d, 'b')
    fs.rename(d, 'a', d, 'b')
    assert.equal(names(fs, d).sort(), ['a', 'b'])
  })
  check('rename moves a directory with what is in it', (fs, d) => {
    const sub = fs.create(d, 'sub', folder)
    const deep = fs.create(sub, 'deep', folder)
    const ino = put(fs, deep, 'f', 'x')
    const other = fs.create(d, 'other', folder)
    fs.rename(d, 'sub', other, 'moved')
    const moved = fs.lookup(other, 'moved') ?? -1
    assert.is(fs.lookup(fs.lookup(moved, 'deep') ?? -1, 'f'), ino)
    assert.is(fs.lookup(d, 'sub'), undefined)
  })
  check('rename of a directory below itself is refused', (fs, d) => {
    const sub = fs.create(d, 'sub', folder)
    const deep = fs.create(sub, 'deep', folder)
    fails('EINVAL', () => fs.rename(d, 'sub', sub, 'x'))
    fails('EINVAL', () => fs.rename(d, 'sub', deep, 'x'))
    assert.is(fs.lookup(d, 'sub'), sub)
  })
  check('what is below itself is judged by where a directory is now', (fs, d) => {
    const a = fs.create(d, 'a', folder)
    const b = fs.create(a, 'b', folder)
    fs.rename(a, 'b', d, 'b')
    fs.rename(d, 'a', b, 'a')
    fails('EINVAL', () => fs.rename(d, 'b', a, 'b'))
    assert.is(fs.lookup(b, 'a'), a)
  })
  check('rename of something missing is refused', (fs, d) => {
    fails('ENOENT', () => fs.rename(d, 'missing', d, 'x'))
  })
  check('rename replaces an empty directory by a directory and nothing else', (fs, d) => {
    const a = fs.create(d, 'a', folder)
    fs.create(d, 'empty', folder)
    const full = fs.create(d, 'full', folder)
    put(fs, full, 'f', '')
    put(fs, d, 'file', '')
    fails('ENOTEMPTY', () => fs.rename(d, 'a', d, 'full'))
    fails('ENOTDIR', () => fs.rename(d, 'a', d, 'file'))
    fails('EISDIR', () => fs.rename(d, 'file', d, 'empty'))
    fs.rename(d, 'a', d, 'empty')
    assert.is(fs.lookup(d, 'empty'), a)
  })
  check('an entry that is looked up is the one that lookup and stat tell of', (fs, d) => {
    if (fs.lookupEntry === undefined) return
    const inos = { f: put(fs, d, 'f', 'x'), folder: fs.create(d, 'folder', folder), s: fs.create(d, 's', symlink('f')) }
    for (const [name_, ino] of Object.entries(inos)) {
      assert.is(fs.lookup(d, name_), ino)
      assert.equal(fs.lookupEntry(d, name_), { name: name_, ino, type: fs.stat(ino).type })
    }
    assert.is(fs.lookupEntry(d, 'missing'), undefined)
    fails('ENOTDIR', () => fs.lookupEntry?.(inos.f, 'x'))
    fails('ENOENT', () => fs.lookupEntry?.(2 ** 40 + 1, 'x'))
  })
  check('attributes are set one by one', (fs, d) => {
    const ino = put(fs, d, 'f', 'x')
    fs.setAttributes(ino, { mode: 0o4711 & (lacks.includes('devices') ? 0o777 : 0o7777) })
    fs.setAttributes(ino, { mtimeNs: 1_234_567_000_000_000n, atimeNs: 7_000_000_000n })
    const stat = fs.stat(ino)
    assert.is(stat.mode & 0o777, 0o711)
    // Whoever keeps times as doubles has them to the microsecond.
    assert.equal([stat.mtimeNs / 1000n, stat.atimeNs / 1000n, stat.size], [1_234_567_000_000n, 7_000_000n, 1])
  })
  check('entries that are visited are those that are read, in the same order, names that are no UTF-8 too', (fs, d) => {
    if (fs.visitEntries === undefined) return
    for (const name_ of ['a', 'long'.repeat(60), '\xff\xfe', 'gone']) put(fs, d, name_, '')
    fs.create(d, 'folder', folder)
    fs.unlink(d, 'gone')
    const visited: unknown[] = []
    fs.visitEntries(d, (bytes, start, length, ino, type) => {
      visited.push({ name: Buffer.from(bytes.slice(start, start + length)).toString('latin1'), ino, type })
    })
    assert.equal(visited, fs.readdir(d))
    assert.is(visited.length, 4)
    fails('ENOTDIR', () => fs.visitEntries?.(fs.lookup(d, 'a') as Ino, () => {}))
  })
  check('readdir keeps its order while nothing changes', (fs, d) => {
    for (const each of ['z', 'a', 'm', '0']) put(fs, d, each, '')
    assert.equal(names(fs, d), names(fs, d))
    assert.is(names(fs, d).length, 4)
  })
  check(
    'a hard link to a symlink is another name of the symlink',
    (fs, d) => {
      const ino = fs.create(d, 's', symlink('x'))
      fs.link(ino, d, 't')
      assert.is(fs.lookup(d, 't'), ino)
    },
    'symlink-link',
  )
  check(
    'a directory counts itself, its name and its subdirectories',
    (fs, d) => {
      const before = fs.stat(d).linkCount
      const sub = fs.create(d, 'sub', folder)
      put(fs, d, 'f', '')
      assert.is(fs.stat(d).linkCount, before + 1)
      assert.is(fs.stat(sub).linkCount, 2)
      const other = fs.create(d, 'other', folder)
      fs.rename(d, 'sub', other, 'sub')
      assert.equal([fs.stat(d).linkCount, fs.stat(other).linkCount], [before + 1, 3])
      fs.rmdir(other, 'sub')
      assert.is(fs.stat(other).linkCount, 2)
    },
    'directory-link-count',
  )
  check(
    'a file that is open lives on without a name, until it is closed',
    (fs, d) => {
      const ino = put(fs, d, 'f', 'x')
      fs.retain(ino)
      fs.retain(ino)
      fs.unlink(d, 'f')
      assert.is(fs.stat(ino).linkCount, 0)
      fs.write(ino, Buffer.from('still'), 0)
      assert.is(textOf(fs, ino), 'still')
      fails('ENOENT', () => fs.link(ino, d, 'again'))
      fs.release(ino)
      assert.is(textOf(fs, ino), 'still')
      fs.release(ino)
      fails('ENOENT', () => fs.stat(ino))
    },
    'retain',
  )
  check(
    'a directory that is open and removed takes nothing new',
    (fs, d) => {
      const sub = fs.create(d, 'sub', folder)
      fs.retain(sub)
      fs.rmdir(d, 'sub')
      assert.equal([fs.readdir(sub), fs.stat(sub).linkCount], [[], 0])
      fails('ENOENT', () => fs.create(sub, 'f', file))
      put(fs, d, 'f', '')
      fails('ENOENT', () => fs.rename(d, 'f', sub, 'f'))
      fs.release(sub)
    },
    'retain',
  )
  check(
    'a file replaced by rename lives on while it is open',
    (fs, d) => {
      const old = put(fs, d, 'old', 'old')
      put(fs, d, 'new', 'new')
      fs.retain(old)
      fs.rename(d, 'new', d, 'old')
      assert.is(textOf(fs, old), 'old')
      fs.release(old)
      fails('ENOENT', () => fs.stat(old))
    },
    'retain',
  )
  check(
    'xattrs are bytes, set, replaced and removed',
    (fs, d) => {
      const ino = put(fs, d, 'f', '')
      fs.setXattr(ino, 'user.a', Uint8Array.of(0, 255))
      fs.setXattr(ino, 'user.a', Uint8Array.of(1))
      fs.setXattr(ino, 'user.b', Uint8Array.of())
      assert.equal(
        [...fs.xattrs(ino)],
        [
          ['user.a', Uint8Array.of(1)],
          ['user.b', Uint8Array.of()],
        ],
      )
      fs.removeXattr(ino, 'user.a')
      fails('ENODATA', () => fs.removeXattr(ino, 'user.a'))
      assert.equal([...fs.xattrs(ino).keys()], ['user.b'])
    },
    'xattrs',
  )
  check(
    'devices and fifos keep their kind and number',
    (fs, d) => {
      const ino = fs.create(d, 'null', { type: 'character-device', mode: 0o666, ...owner, device: { major: 1, minor: 3 } })
      assert.equal(fs.stat(ino).device, { major: 1, minor: 3 })
      assert.is(fs.stat(fs.create(d, 'p', { type: 'fifo', mode: 0o600, ...owner })).type, 'fifo')
      assert.is(fs.stat(fs.create(d, 'sock', { type: 'socket', mode: 0o600, ...owner })).type, 'socket')
    },
    'devices',
  )
}
