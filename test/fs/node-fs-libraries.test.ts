/** Whoever takes an fs takes ours: real libraries, and the ways in which such libraries use one. */
import { once } from 'node:events'
import nodeFs from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { memfs, type Volume } from 'memfs'
import { nodeToFsa } from 'memfs/lib/node-to-fsa/index.js'
import { extract, pack } from 'tar-stream'
import * as assert from 'uvu/assert'
import { nodeFsOf, type OpenNodeFs } from '../../src/fs/node-fs.js'
import type { NodeFsLike } from '../../src/fs/node-fs-like.js'
import { ObjectFileSystem } from '../../src/fs/object-file-system.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { type AnyFs, listing } from '../contract/node-fs.js'
import { layerOf, rawTar } from '../layer/tar.js'
import { layeredFs } from '../support/folder-fs.js'
import { suite } from '../support/suite.js'

const test = suite('fs/node-fs, libraries')
const writableFs = (): OpenNodeFs => nodeFsOf(new UnionFs({ lowers: [] }))

test("memfs's File System Access adapter works over it", async () => {
  const fs = writableFs()
  fs.mkdirSync('/site/pages', { recursive: true })
  const root = nodeToFsa(fs as never, '/site', { mode: 'readwrite' })
  const pages = await root.getDirectoryHandle('pages')
  const page = await pages.getFileHandle('index.html', { create: true })
  const writer = await page.createWritable()
  await writer.write('<h1>made through two adapters</h1>')
  await writer.close()
  assert.is(fs.readFileSync('/site/pages/index.html', 'utf8'), '<h1>made through two adapters</h1>')
  assert.is(await (await page.getFile()).text(), '<h1>made through two adapters</h1>')
  const names: string[] = []
  for await (const name of root.keys()) names.push(name)
  assert.equal(names, ['pages'])
  await root.removeEntry('pages', { recursive: true })
  assert.equal(fs.readdirSync('/site'), [])
})

test('tar-stream packs from it and extracts into it through its streams', async () => {
  const from = writableFs()
  from.mkdirSync('/a/b', { recursive: true })
  from.writeFileSync('/a/b/large', Buffer.alloc(300_000, 'wolffia '))
  from.writeFileSync('/a/empty', '')
  from.symlinkSync('b/large', '/a/link')
  const tar = pack()
  const packing = (async () => {
    for (const { parentPath, name } of from.readdirSync('/', { recursive: true, withFileTypes: true })) {
      const path = `${parentPath}/${name}`.replace(/^\/+/, '/')
      const stat = await from.promises.lstat(path)
      const header = { name: path.slice(1), mode: stat.mode & 0o7777, mtime: stat.mtime }
      if (stat.isDirectory()) tar.entry({ ...header, type: 'directory' })
      else if (stat.isSymbolicLink()) tar.entry({ ...header, type: 'symlink', linkname: from.readlinkSync(path) })
      else if (stat.size === 0) tar.entry(header, '')
      else await pipeline(from.createReadStream(path), tar.entry({ ...header, size: stat.size }))
    }
    tar.finalize()
  })()
  const to = writableFs()
  const extractor = extract()
  extractor.on('entry', ({ name, type, linkname, mode }, body, next) => {
    if (type === 'directory') to.mkdirSync(`/${name}`, { mode: mode as number })
    else if (type === 'symlink') to.symlinkSync(linkname ?? '', `/${name}`)
    else return void pipeline(body, to.createWriteStream(`/${name}`, { mode: mode as number })).then(() => next(), next)
    body.resume()
    next()
  })
  await Promise.all([packing, pipeline(tar, extractor)])
  assert.equal(listing(to, '/.'), listing(from, '/.'))
})

test('a library that puts its own streams and calls in the place of ours, as graceful-fs does, gets what it expects', async () => {
  const fs = writableFs()
  const clone = Object.defineProperties({}, Object.getOwnPropertyDescriptors(fs)) as AnyFs
  const Original = fs.ReadStream as unknown as (this: unknown, path: string, options?: unknown) => void
  function ReadStream(this: unknown, path: string, options?: unknown): unknown {
    if (!(this instanceof (ReadStream as never))) return Reflect.construct(ReadStream, [path, options])
    Original.call(this, path, options)
    return this
  }
  ReadStream.prototype = Object.create(fs.ReadStream.prototype)
  clone.writeFileSync('/f', 'through a patched class')
  const stream = new (ReadStream as unknown as typeof nodeFs.ReadStream)('/f' as never)
  stream.setEncoding('utf8')
  const [text] = await once(stream, 'data')
  assert.is(text, 'through a patched class')
  assert.ok(stream instanceof fs.ReadStream && stream instanceof nodeFs.ReadStream)
  const plainCall = (fs.createReadStream as (path: string) => nodeFs.ReadStream).call(undefined, '/f')
  assert.is(String((await once(plainCall, 'data'))[0]), 'through a patched class')
})

test("nothing of it reaches the host's files, its classes neither", async () => {
  const fs = writableFs()
  const host = import.meta.filename ?? process.execPath
  assert.not(fs.existsSync(host))
  const Stream = fs.ReadStream as unknown as new (path: string) => nodeFs.ReadStream
  const [error] = await once(new Stream(host), 'error')
  assert.is((error as NodeJS.ErrnoException).code, 'ENOENT')
  const own = nodeFs.openSync(host, 'r')
  try {
    assert.throws(() => fs.readSync(own, Buffer.alloc(1)), /EBADF/)
    assert.throws(() => nodeFs.readSync(fs.openSync('/', 'r'), Buffer.alloc(1)), /EBADF/)
  } finally {
    nodeFs.closeSync(own)
  }
})

test('each call of node:fs is there in each of its forms, but for what is refused', () => {
  const fs = writableFs()
  // Deprecated, for other systems, or of Node versions to come.
  const absent = /^(glob|lchmod|_|mkdtempDisposable|openAsBlob(Sync)?$|promises$|Utf8Stream)/
  const missing = (theirs: object, ours: object) =>
    Object.keys(theirs).filter((name) => !absent.test(name) && typeof Reflect.get(ours, name) !== typeof Reflect.get(theirs, name))
  assert.equal(missing(nodeFs, fs), [])
  assert.equal(missing(nodeFs.promises, fs.promises), [])
  for (const call of [() => fs.watch('/'), () => fs.watchFile('/', () => {})]) assert.throws(call, /^ENOSYS: .*, watch '\/'$/)
  assert.throws(() => fs.promises.watch('/'), /ENOSYS/)
  fs.unwatchFile('/')
})

test('all at once by promisify, as libraries of callbacks are used', async () => {
  const fs = writableFs()
  await promisify(fs.writeFile)('/f', 'x')
  await promisify(fs.rename)('/f', '/g')
  await Promise.all(Array.from({ length: 50 }, (_, each) => promisify(fs.appendFile)('/g', String(each % 10))))
  assert.is((await promisify(fs.stat)('/g')).size, 51)
  const { bytesRead } = await promisify(fs.read)(fs.openSync('/g', 'r'), Buffer.alloc(100), 0, 100, 0)
  assert.is(bytesRead, 51)
})

test('one that is only read refuses whatever would change it, and reads as before', async () => {
  const layer = layerOf(rawTar([{ name: 'etc/hostname', body: 'lower\n' }]))
  for (const fs of [nodeFsOf(new UnionFs({ lowers: [layer] }), { readonly: true }), nodeFsOf(layer)]) {
    const refusals = [
      () => fs.writeFileSync('/new', 'x'),
      () => fs.writeFileSync('/etc/hostname', 'x'),
      () => fs.appendFileSync('/etc/hostname', 'x'),
      () => fs.mkdirSync('/d'),
      () => fs.mkdtempSync('/d'),
      () => fs.rmSync('/etc', { recursive: true }),
      () => fs.unlinkSync('/etc/hostname'),
      () => fs.rmdirSync('/etc'),
      () => fs.renameSync('/etc', '/x'),
      () => fs.linkSync('/etc/hostname', '/x'),
      () => fs.symlinkSync('x', '/x'),
      () => fs.chmodSync('/etc', 0o700),
      () => fs.chownSync('/etc', 1, 1),
      () => fs.utimesSync('/etc', 1, 1),
      () => fs.truncateSync('/etc/hostname'),
      () => fs.copyFileSync('/etc/hostname', '/x'),
      () => fs.accessSync('/etc', fs.constants.W_OK),
    ]
    for (const refused of refusals) assert.throws(refused, /EROFS: read-only file system/, String(refused))
    assert.is(fs.readFileSync('/etc/hostname', 'utf8'), 'lower\n')
    assert.is(await fs.promises.readFile('/etc/hostname', 'latin1'), 'lower\n')
  }
})

test('credentials decide, in each form', async () => {
  const tree = new UnionFs({ lowers: [] })
  const root = nodeFsOf(tree)
  root.mkdirSync('/home', 0o755)
  root.writeFileSync('/home/secret', 'x', { mode: 0o600 })
  root.mkdirSync('/tmp')
  root.chmodSync('/tmp', 0o1777)
  root.writeFileSync('/tmp/of-root', '')
  const user = nodeFsOf(tree, { credentials: { uid: 1000, gid: 1000, additionalGids: [] } })
  assert.throws(() => user.readFileSync('/home/secret'), /EACCES/)
  await user.promises.readFile('/home/secret').then(
    () => assert.unreachable(),
    ({ code }) => assert.is(code, 'EACCES'),
  )
  assert.throws(() => user.unlinkSync('/tmp/of-root'), /EPERM/)
  user.writeFileSync('/tmp/mine', 'y')
  assert.equal([root.statSync('/tmp/mine').uid, root.statSync('/tmp/mine').mode & 0o777], [1000, 0o644])
  assert.is(root.statSync('/tmp').dev, user.statSync('/tmp').dev)
  assert.is.not(writableFs().statSync('/').dev, root.statSync('/').dev)
})

test('after it is disposed of each call is EBADF, and what was open is given back', async () => {
  const tree = new UnionFs({ lowers: [] })
  let closed = 0
  const fs = nodeFsOf(tree, { onClose: () => void closed++ })
  const file = fs.openSync('/f', 'w')
  fs.writeSync(file, Buffer.alloc(100_000))
  fs.unlinkSync('/f')
  assert.ok(tree.usage.diskBytes > 0)
  await fs[Symbol.asyncDispose]()
  await fs[Symbol.asyncDispose]()
  assert.equal([closed, tree.usage.diskBytes], [1, 0])
  for (const call of [() => fs.readdirSync('/'), () => fs.fstatSync(file), () => fs.writeFileSync('/x', '')]) assert.throws(call, /EBADF/)
})

test('a Dir that is closed, or loses a directory, while it is read rejects and ends nobody', async () => {
  const fs = writableFs()
  fs.mkdirSync('/a/b', { recursive: true })
  const closed = fs.opendirSync('/')
  const reading = closed.read().then(
    () => 'read',
    ({ code }) => code,
  )
  closed.closeSync()
  assert.is(await reading, 'ERR_DIR_CLOSED')
  const losing = await fs.promises.opendir('/', { recursive: true })
  assert.is((await losing.read())?.name, 'a')
  fs.rmSync('/a', { recursive: true })
  const error = await new Promise((resolve) => losing.read(resolve))
  assert.is((error as NodeJS.ErrnoException).code, 'ENOENT')
})

test('as many files can be open as was said', () => {
  const fs = nodeFsOf(new UnionFs({ lowers: [] }), { openFiles: 2 })
  fs.writeFileSync('/f', '')
  const first = fs.openSync('/f', 'r')
  fs.openSync('/f', 'r')
  assert.throws(() => fs.openSync('/f', 'r'), /EMFILE: too many open files, open '\/f'/)
  fs.closeSync(first)
  fs.openSync('/f', 'r')
})

test('a full tree is ENOSPC, and statfs says so before', () => {
  const fs = nodeFsOf(new UnionFs({ lowers: [], limits: { diskBytes: 1 << 20, inodes: 10 } }))
  const { bsize, blocks, files } = fs.statfsSync('/')
  assert.equal([bsize * blocks, files], [1 << 20, 10])
  assert.throws(() => fs.writeFileSync('/big', Buffer.alloc(2 << 20)), /ENOSPC: no space left on device, write/)
  for (let each = 0; each < 9; each++) fs.writeFileSync(`/${each}`, '')
  assert.throws(() => fs.mkdirSync('/more'), /ENOSPC/)
  assert.is(fs.statfsSync('/').ffree, 0)
})

test('it can be a tree again, alone and laid over another', () => {
  const own = writableFs()
  own.writeFileSync('/f', 'ours')
  const { vol } = memfs({ '/f': 'hidden', '/g': 'lower' })
  const tree = new ObjectFileSystem(layeredFs(own, vol as unknown as NodeFsLike))
  const again = nodeFsOf(tree)
  assert.equal(again.readdirSync('/').sort(), ['f', 'g'])
  assert.equal([again.readFileSync('/f', 'utf8'), again.readFileSync('/g', 'utf8')], ['ours', 'lower'])
  again.writeFileSync('/h', 'through four layers')
  assert.is(own.readFileSync('/h', 'utf8'), 'through four layers')
  assert.not((vol as Volume).existsSync('/h'))
})

test.run()
