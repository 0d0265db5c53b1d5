/** What a module tries against preview1 itself, one attack a test. No wall: these must hold by themselves. */
import * as assert from 'uvu/assert'
import { UnionFs } from '../../src/fs/union-fs.js'
import type { WasiError } from '../../src/wasm/preview1/errno.js'
import { CALL_BYTES, GuestMemory } from '../../src/wasm/preview1/guest-memory.js'
import { GuestExit } from '../../src/wasm/preview1/host.js'
import { StreamDescriptor } from '../../src/wasm/preview1/stream-descriptor.js'
import { mustFind } from '../layer/tar.js'
import { callAtRandom, filesOf, guest, PAGE } from '../support/preview1-guest.js'
import { SEED } from '../support/seed.js'
import { randomFrom } from '../support/soak.js'
import { suite } from '../support/suite.js'

const ALL_FILE_RIGHTS = 0x8e001ffn
const OFLAGS_CREAT = 1
const OFLAGS_DIRECTORY = 2
const test = suite('wasm/preview1.security')

/** A directory opened by the guest: a capability of its own. */
function openBox(parts: ReturnType<typeof guest>): number {
  const fd = parts.open('box', { oflags: OFLAGS_DIRECTORY, base: 0x7ffe00n, inheriting: ALL_FILE_RIGHTS })
  assert.type(fd, 'number')
  return fd as number
}

test('CVE-2023-51661, "..": a directory that the guest opened is not left, and the root has nothing above it', () => {
  const parts = guest({ fs: filesOf('secret', 'box/inner/file') })
  const fd = openBox(parts)
  for (const path of ['..', '../secret', 'inner/../../secret', './/../box/../secret']) assert.is(parts.open(path, { fd }), 'EPERM')
  assert.type(parts.open('inner/../inner/file', { fd }), 'number')
  assert.type(parts.open('../../../../secret'), 'number')
})

test('CVE-2023-51661: absolute paths are refused', () => {
  const parts = guest({ fs: filesOf('secret') })
  assert.is(parts.open('/secret'), 'ENOTCAPABLE')
  assert.is(parts.call('path_unlink_file', 3, ...parts.put('/secret')), 'ENOTCAPABLE')
  assert.is(parts.call('path_rename', 3, ...parts.put('secret'), 3, ...parts.put('/x', 100)), 'ENOTCAPABLE')
})

test('symlinks: loops end, and a capability makes none to an absolute path', () => {
  const parts = guest({ fs: filesOf('secret', 'box/file') })
  assert.is(parts.call('path_symlink', ...parts.put('loop'), 3, ...parts.put('loop', 100)), 'SUCCESS')
  assert.is(parts.open('loop'), 'ELOOP')
  assert.is(parts.open('loop', { follow: 0 }), 'ELOOP')
  const fd = openBox(parts)
  assert.is(parts.call('path_symlink', ...parts.put('/secret'), fd, ...parts.put('link', 100)), 'ENOTCAPABLE')
  assert.is(parts.call('path_symlink', ...parts.put(''), 3, ...parts.put('link', 100)), 'ENOENT')
})

test('a slash behind a symlink does not turn its removal into that of its target', () => {
  const parts = guest({ fs: filesOf('box/file') })
  parts.call('path_create_directory', 3, ...parts.put('empty'))
  parts.call('path_symlink', ...parts.put('empty'), 3, ...parts.put('link', 100))
  assert.is(parts.call('path_remove_directory', 3, ...parts.put('link/')), 'ENOTDIR')
  assert.is(parts.call('path_unlink_file', 3, ...parts.put('link/')), 'ENOTDIR')
  assert.is(parts.call('path_rename', 3, ...parts.put('link/'), 3, ...parts.put('moved', 100)), 'ENOTDIR')
  assert.type(parts.open('empty', { oflags: OFLAGS_DIRECTORY }), 'number')
})

test('hard links: none to a directory, none above a capability', () => {
  const parts = guest({ fs: filesOf('secret', 'box/file') })
  assert.is(parts.call('path_link', 3, 0, ...parts.put('box'), 3, ...parts.put('twin', 100)), 'EPERM')
  const fd = parts.open('box', { oflags: OFLAGS_DIRECTORY, base: 0x7ffe00n, inheriting: 0n }) as number
  assert.is(parts.call('path_link', 3, 0, ...parts.put('secret'), fd, ...parts.put('../twin', 100)), 'EPERM')
})

test('renames: a directory moved while it is open does not widen what it reaches', () => {
  const parts = guest({ fs: filesOf('secret', 'box/inner/file') })
  const fd = parts.open('box/inner', { oflags: OFLAGS_DIRECTORY, base: 0x7ffe00n, inheriting: ALL_FILE_RIGHTS }) as number
  assert.is(parts.call('path_rename', 3, ...parts.put('box/inner'), 3, ...parts.put('inner', 100)), 'SUCCESS')
  assert.is(parts.open('../secret', { fd }), 'EPERM')
  assert.type(parts.open('file', { fd }), 'number')
  assert.is(parts.call('path_rename', 3, ...parts.put('inner'), 3, ...parts.put('inner/below', 100)), 'EINVAL')
  parts.call('path_unlink_file', 3, ...parts.put('inner/file'))
  assert.is(parts.call('path_remove_directory', 3, ...parts.put('inner')), 'SUCCESS')
  assert.is(parts.open('new', { fd, oflags: OFLAGS_CREAT }), 'ENOENT')
})

test('rights that a descriptor lacks cannot be used, passed on or regained', () => {
  const parts = guest({ fs: filesOf('box/file') })
  const fd = parts.open('box/file', { base: 2n }) as number
  parts.put('\0\0\0\0\x04\0\0\0', 200)
  assert.is(parts.call('fd_write', fd, 200, 1, 300), 'ENOTCAPABLE')
  assert.is(parts.call('fd_fdstat_set_rights', fd, 0x40n, 0n), 'ENOTCAPABLE')
  assert.is(parts.call('fd_fdstat_set_rights', fd, 1n << 63n, 0n), 'ENOTCAPABLE')
  const box = parts.open('box', { oflags: OFLAGS_DIRECTORY, base: 0x2000n, inheriting: 2n }) as number
  assert.is(parts.open('file', { fd: box, base: 0x42n }), 'ENOTCAPABLE')
  assert.is(parts.open('new', { fd: box, oflags: OFLAGS_CREAT }), 'ENOTCAPABLE')
})

test('a read-only root takes no change by any call', () => {
  const parts = guest({ fs: filesOf('file', 'box/file'), readonly: true })
  assert.is(parts.open('file', { base: 0x40n }), 'EROFS')
  assert.is(parts.open('new', { oflags: OFLAGS_CREAT }), 'EROFS')
  assert.is(parts.open('file', { oflags: 8 }), 'EROFS')
  assert.is(parts.call('path_create_directory', 3, ...parts.put('new')), 'EROFS')
  assert.is(parts.call('path_unlink_file', 3, ...parts.put('file')), 'EROFS')
  assert.is(parts.call('path_rename', 3, ...parts.put('file'), 3, ...parts.put('new', 100)), 'EROFS')
  assert.is(parts.call('path_link', 3, 0, ...parts.put('file'), 3, ...parts.put('new', 100)), 'EROFS')
  assert.is(parts.call('path_filestat_set_times', 3, 0, ...parts.put('file'), 0n, 0n, 5), 'EROFS')
})

test('permission bits hold for a guest that is not user 0', () => {
  const fs = filesOf('mine', 'box/secret')
  const box = fs.lookup(fs.root, 'box') as number
  fs.setAttributes(box, { mode: 0o700 })
  fs.setAttributes(fs.root, { mode: 0o1777 })
  const parts = guest({ fs, uid: 1000 })
  assert.is(parts.open('box/secret'), 'EACCES')
  assert.is(parts.open('mine', { base: 0x40n }), 'EACCES')
  assert.type(parts.open('mine', { base: 2n }), 'number')
  assert.is(parts.call('path_unlink_file', 3, ...parts.put('mine')), 'EACCES')
  assert.type(parts.open('own', { oflags: OFLAGS_CREAT, base: 0x40n }), 'number')
})

test('a file that may not be written is not resized by one who opens it for nothing else', () => {
  const fs = filesOf('theirs', 'mine')
  for (const name of ['theirs', 'mine']) fs.write(mustFind(fs, name), Buffer.from('contents'), 0)
  fs.setAttributes(mustFind(fs, 'mine'), { uid: 1000 })
  const parts = guest({ fs, uid: 1000 })
  const [allocate, read, setSize] = [0x100n, 2n, 0x400000n]
  for (const base of [setSize, allocate, read | setSize | allocate]) {
    const fd = parts.open('theirs', { base })
    assert.type(fd, 'number')
    assert.is(parts.call('fd_filestat_set_size', fd as number, 0n), 'ENOTCAPABLE')
    assert.is(parts.call('fd_allocate', fd as number, 0n, 1000n), 'ENOTCAPABLE')
    assert.is(parts.call('fd_fdstat_set_rights', fd as number, setSize, 0n), 'ENOTCAPABLE')
  }
  assert.is(fs.stat(mustFind(fs, 'theirs')).size, 8)
  const fd = parts.open('mine', { base: setSize }) as number
  assert.is(parts.call('fd_filestat_set_size', fd, 2n), 'SUCCESS')
})

test('names that are no names are refused as Linux does', () => {
  const parts = guest({ fs: filesOf('f', 'd/e/f', 'empty/f') })
  const rename = (from: string, to: string) => parts.call('path_rename', 3, ...parts.put(from), 3, ...parts.put(to, 100))
  const rmdir = (path: string) => parts.call('path_remove_directory', 3, ...parts.put(path))
  parts.call('path_unlink_file', 3, ...parts.put('empty/f'))
  for (const to of ['d/.', 'd/..', 'd/e/./', '.']) assert.is(rename('f', to), 'EBUSY', to)
  for (const from of ['d/.', '..']) assert.is(rename(from, 'x'), 'EBUSY', from)
  assert.equal(['d/..', 'd/../', '..', 'd/.', '.'].map(rmdir), ['ENOTEMPTY', 'ENOTEMPTY', 'ENOTEMPTY', 'EINVAL', 'EINVAL'])
  assert.equal(
    [rename('f', 'd'), rename('f', 'empty'), rename('d', 'f'), rename('empty', 'd')],
    ['EISDIR', 'EISDIR', 'ENOTDIR', 'ENOTEMPTY'],
  )
  assert.equal([rename('d/e/f', 'd'), rename('d/e', 'd'), rename('d', 'd/e/x')], ['ENOTEMPTY', 'ENOTEMPTY', 'EINVAL'])
  for (const path of ['d/', 'f/', 'new/']) assert.is(parts.open(path, { oflags: OFLAGS_CREAT }), 'EISDIR', path)
  assert.is(parts.open('none/new/', { oflags: OFLAGS_CREAT }), 'ENOENT')
})

test('listing bomb: what open directories keep of their names is bounded, and comes back when they are closed', () => {
  const fs = new UnionFs({ lowers: [] })
  for (let place = 0; place < 20_000; place++) fs.create(fs.root, `f${place}`, { type: 'file', mode: 0, uid: 0, gid: 0 })
  const parts = guest({ fs, openFiles: 1000 })
  const list = (fd: number) => parts.call('fd_readdir', fd, 0, 100, 0n, 200)
  const open = () => parts.open('.', { oflags: OFLAGS_DIRECTORY, base: 0x4000n }) as number
  const opened: number[] = []
  let answer: string
  do {
    opened.push(open())
    answer = list(opened.at(-1) as number)
  } while (answer === 'SUCCESS' && opened.length < 200)
  assert.equal([answer, opened.length], ['ENOMEM', 100])
  parts.call('fd_close', opened[0] as number)
  const again = open()
  assert.equal([list(again), list(again)], ['SUCCESS', 'SUCCESS'])
})

test('a stdin that is asked not to wait answers EAGAIN while there is nothing, and data and its end when they come', () => {
  let state = { bytes: 0, ended: false }
  const stdin = new StreamDescriptor({ terminal: false, input: { available: () => state, read: () => state.bytes } })
  stdin.flags = 4
  const read = () => stdin.read([new Uint8Array(4)])
  assert.throws(read, (error: WasiError) => error.code === 'EAGAIN')
  state = { bytes: 3, ended: false }
  assert.is(read(), 3)
  state = { bytes: 0, ended: true }
  assert.is(read(), 0)
})

test('CVE-2023-26489: pointers and lengths out of range are EFAULT in every call, wherever they stand', () => {
  const parts = guest({ fs: filesOf('file') })
  const fd = parts.open('file', { base: ALL_FILE_RIGHTS & 0xffffffn }) as number
  const wild = [PAGE, PAGE - 1, -1, -4, 0x7fffffff, -0x80000000]
  for (const pointer of wild) {
    for (const name of ['args_sizes_get', 'environ_sizes_get']) assert.is(parts.call(name, 0, pointer), 'EFAULT')
    assert.is(parts.call('clock_time_get', 0, 0n, pointer), 'EFAULT')
    assert.is(parts.call('random_get', pointer, 16), 'EFAULT')
    assert.is(parts.call('random_get', 0, -1), 'EFAULT')
    assert.is(parts.call('fd_fdstat_get', fd, pointer), 'EFAULT')
    assert.is(parts.call('fd_read', fd, pointer, 1, 0), 'EFAULT')
    assert.is(parts.call('fd_read', fd, 0, 0, pointer), 'EFAULT')
    assert.is(parts.call('fd_readdir', 3, pointer, 100, 0n, 0), 'EFAULT')
    assert.is(parts.call('fd_readdir', 3, 0, -1, 0n, 0), 'EFAULT')
    assert.is(parts.call('path_open', 3, 0, pointer, 5, 0, 0n, 0n, 0, 0), 'EFAULT')
    assert.is(parts.call('path_filestat_get', 3, 0, ...parts.put('file'), pointer), 'EFAULT')
    assert.is(parts.call('poll_oneoff', pointer, 0, 1, 0), 'EFAULT')
    assert.is(parts.call('fd_prestat_get', 3, pointer), 'EFAULT')
  }
  // A file descriptor that cannot be told is not opened, and a file that cannot be named is not made.
  assert.is(parts.call('path_open', 3, 0, ...parts.put('never'), OFLAGS_CREAT, 0n, 0n, 0, PAGE), 'EFAULT')
  assert.is(parts.fs.lookup(parts.fs.root, 'never'), undefined)
})

test('counts without measure cost nothing: EINVAL or EFAULT at once', () => {
  const parts = guest({ fs: filesOf('file') })
  for (const count of [1025, 0x7fffffff, -1]) assert.is(parts.call('fd_write', 1, 0, count, 0), 'EINVAL')
  assert.is(parts.call('poll_oneoff', 0, 0, -1, 0), 'EINVAL')
  assert.is(parts.call('poll_oneoff', 0, 0, 0, 0), 'EINVAL')
  assert.is(parts.call('fd_close', -1), 'EBADF')
  assert.is(parts.call('fd_renumber', 3, 0x7fffffff), 'EBADF')
  assert.is(parts.call('fd_seek', 3, -(2n ** 63n), 0, 0), 'ENOTCAPABLE')
})

test('offsets beyond 2^53 are refused, not rounded', () => {
  const parts = guest({ fs: filesOf('file') })
  const fd = parts.open('file', { base: 0xe001ffn }) as number
  parts.put('\0\0\0\0\x04\0\0\0', 200)
  for (const offset of [2n ** 53n, 2n ** 63n - 1n, -1n]) {
    assert.is(parts.call('fd_pwrite', fd, 200, 1, offset, 300), 'EFBIG')
    assert.is(parts.call('fd_pread', fd, 200, 1, offset, 300), 'EINVAL')
    assert.is(parts.call('fd_filestat_set_size', fd, offset), 'EFBIG')
    assert.is(parts.call('fd_allocate', fd, offset, 1n), 'EFBIG')
  }
})

test('a thousand buffers that are all the same memory are no more work than the longest call of Linux', () => {
  const parts = guest({ fs: filesOf('file') })
  const memory = new WebAssembly.Memory({ initial: 64 })
  const guestMemory = new GuestMemory(memory)
  const view = new DataView(memory.buffer)
  const whole = memory.buffer.byteLength
  for (let place = 0; place < 1024; place++) view.setUint32(8 * place + 4, whole, true)
  const total = guestMemory.buffers(0, 1024).reduce((sum, buffer) => sum + buffer.length, 0)
  assert.is(total, CALL_BYTES)
  // What is beyond is looked at all the same.
  view.setUint32(8 * 1023, 1, true)
  assert.throws(
    () => guestMemory.buffers(0, 1024),
    (error: WasiError) => error.code === 'EFAULT',
  )
  parts.put('\0\0\0\0\x04\0\0\0', 200)
  assert.is(parts.call('fd_write', 1, 200, 1, 300), 'SUCCESS')
})

test('times later than a file system counts are the last that it does', () => {
  const parts = guest({ fs: filesOf('file') })
  for (const time of [2n ** 63n - 1n, 2n ** 63n, -1n]) {
    assert.is(parts.call('path_filestat_set_times', 3, 0, ...parts.put('file'), time, time, 5), 'SUCCESS')
    const { atimeNs, mtimeNs } = parts.fs.stat(parts.fs.lookup(parts.fs.root, 'file') ?? 0)
    assert.equal([atimeNs, mtimeNs], [2n ** 63n - 1n, 2n ** 63n - 1n])
  }
})

test('standard descriptors, preopens and a descriptor itself can be renumbered, and what is closed by it is closed once', () => {
  const parts = guest({ fs: filesOf('file') })
  const fd = parts.open('file', { base: 0x8e001ffn }) as number
  assert.is(parts.call('fd_renumber', fd, fd), 'SUCCESS')
  assert.is(parts.call('fd_renumber', fd, 1), 'SUCCESS')
  parts.put('\0\0\0\0\x04\0\0\0', 200)
  assert.is(parts.call('fd_write', 1, 200, 1, 300), 'SUCCESS')
  assert.is(parts.fs.stat(parts.fs.lookup(parts.fs.root, 'file') ?? 0).size, 4)
  assert.is(parts.call('fd_renumber', 3, 0), 'SUCCESS')
  assert.is(parts.call('fd_prestat_get', 0, 400), 'SUCCESS')
  assert.is(parts.call('fd_prestat_get', 3, 400), 'EBADF')
  assert.is(parts.call('fd_renumber', fd, 0), 'EBADF')
  for (const open of [0, 1, 2]) assert.is(parts.call('fd_close', open), 'SUCCESS')
  assert.is(parts.table.open, 0)
})

test('a listing is what it was when it began, wherever its cookie points and whatever becomes of the directory', () => {
  const parts = guest({ fs: filesOf('box/a', 'box/b', 'box/c') })
  const box = parts.open('box', { oflags: OFLAGS_DIRECTORY, base: 0x7ffe00n, inheriting: ALL_FILE_RIGHTS }) as number
  const used = (cookie: bigint): number => {
    assert.is(parts.call('fd_readdir', box, 1024, 4096, cookie, 512), 'SUCCESS')
    return new DataView(parts.memory.buffer).getUint32(512, true)
  }
  const whole = used(0n)
  for (const name of ['a', 'b']) assert.is(parts.call('path_unlink_file', 3, ...parts.put(`box/${name}`)), 'SUCCESS')
  assert.is(used(2n), 3 * 25)
  for (const cookie of [5n, 6n, 2n ** 32n, 2n ** 53n - 1n]) assert.is(used(cookie), 0)
  for (const cookie of [2n ** 53n, -1n]) assert.is(parts.call('fd_readdir', box, 1024, 4096, cookie, 512), 'EINVAL')
  assert.is(used(0n), whole - 2 * 25)
  // Also of a directory that is gone.
  assert.is(parts.call('path_unlink_file', 3, ...parts.put('box/c')), 'SUCCESS')
  assert.is(parts.call('path_remove_directory', 3, ...parts.put('box')), 'SUCCESS')
  used(0n)
})

test('names that are not UTF-8 are bytes like any other; NUL and too long ones are refused', () => {
  const parts = guest()
  assert.type(parts.open('\xff\xfe\x80', { oflags: OFLAGS_CREAT }), 'number')
  assert.ok(parts.fs.readdir(parts.fs.root).some(({ name }) => name === '\xff\xfe\x80'))
  assert.is(parts.open('a\0b', { oflags: OFLAGS_CREAT }), 'EINVAL')
  assert.is(parts.open('x'.repeat(256), { oflags: OFLAGS_CREAT }), 'ENAMETOOLONG')
  assert.is(parts.open('x/'.repeat(2100)), 'ENAMETOOLONG')
  assert.is(parts.open(''), 'ENOENT')
})

test('a guest that catches proc_exit is served no further call', () => {
  const { preview1 } = guest()
  const exit = preview1.functions.proc_exit as unknown as (code: number) => void
  for (const again of [1, 2]) {
    try {
      exit(again)
      assert.unreachable('it returned')
    } catch (error) {
      assert.instance(error, GuestExit)
    }
  }
  assert.is(preview1.exit?.exitCode, 1)
  try {
    ;(preview1.functions.sched_yield as () => void)()
    assert.unreachable('it returned')
  } catch (error) {
    assert.instance(error, GuestExit)
  }
})

test('ten thousand calls with arguments at random answer with an errno and nothing else', () => {
  try {
    callAtRandom(randomFrom(SEED), 10_000)
  } catch (error) {
    throw new Error(`WOLFFIA_SEED=${SEED} fails: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
})

test.run()
