/** What other programs make of a tar: the witnesses of ours. */
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FileType, ReadonlyFileSystem } from '../../src/fs/file-system.js'
import { type ListedPath, listTree } from '../../src/fs/list.js'
import { program } from '../support/requirements.js'
import type { Requirement } from '../support/suite.js'

export const GETFATTR = program('getfattr')

export const GNU_TAR: Requirement = {
  name: 'gnu-tar',
  missing: async () =>
    /GNU tar/.test(spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout ?? '') ? null : 'GNU tar is not installed',
}

/** What umoci makes of layers, base first, with owners and xattrs. Throws where it refuses. `folder` is new. */
export function unpackWithUmoci(folder: string, tars: readonly Uint8Array[]): ListedPath[] {
  const root = umociRoot(folder, tars)
  return listHost(root, hostXattrs(root))
}

/** Where umoci has unpacked layers. Throws where it refuses. */
export function umociRoot(folder: string, tars: readonly Uint8Array[]): string {
  mkdirSync(folder, { recursive: true })
  const image = join(folder, 'image')
  const root = join(folder, 'unpacked')
  const call = (...args: string[]) => execFileSync('umoci', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  call('init', '--layout', image)
  call('new', '--image', `${image}:t`)
  for (const [place, tar] of tars.entries()) {
    const path = join(folder, `${place}.tar`)
    writeFileSync(path, tar)
    call('raw', 'add-layer', '--image', `${image}:t`, path)
  }
  call('raw', 'unpack', '--rootless', '--image', `${image}:t`, root)
  return root
}

/** Where GNU tar has unpacked an archive; null where it refuses or complains (a warning is no complaint). `folder` is new. */
export function gnuTarRoot(folder: string, tar: Uint8Array): string | null {
  const root = join(folder, 'root')
  mkdirSync(root, { recursive: true })
  const { status, stderr } = spawnSync('tar', ['--warning=none', '-xpf', '-', '-C', root], { input: tar })
  return status === 0 && stderr.length === 0 ? root : null
}

/** A tree of the host's, with names byte for byte. */
export function listHost(root: string, xattrs: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> = new Map()): ListedPath[] {
  const first = new Map<bigint, string>()
  const listed: ListedPath[] = []
  const visit = (name: string): void => {
    const path = hostPath(root, name)
    const stat = lstatSync(path, { bigint: true })
    const type: FileType = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : stat.isFIFO() ? 'fifo' : 'file'
    const own = new Map(xattrs.get(name))
    const { uid, gid } = rootlessOwner(own.get('user.rootlesscontainers'))
    own.delete('user.rootlesscontainers')
    const linkOf = type === 'directory' ? null : (first.get(stat.ino) ?? null)
    if (linkOf === null) first.set(stat.ino, name)
    listed.push({
      path: name,
      ino: Number(stat.ino),
      type,
      mode: Number(stat.mode) & 0o7777,
      uid,
      gid,
      size: type === 'file' ? Number(stat.size) : null,
      device: null,
      target: type === 'symlink' ? readlinkSync(path, 'latin1') : null,
      linkOf,
      xattrs: new Map([...own].sort(([left], [right]) => (left < right ? -1 : 1))),
      mtimeNs: stat.mtimeNs,
    })
    if (type === 'directory') for (const each of readdirSync(path, 'latin1').sort()) visit(name === '' ? each : `${name}/${each}`)
  }
  visit('')
  return listed
}

/** What all unpackers agree on of a path: what it is, what is in it, when it was changed. */
export interface WitnessedPath {
  readonly path: string
  readonly line: string
}

/** A tree of the host's as lines to compare with {@link witnessedTree}. */
export function witnessedHost(root: string): WitnessedPath[] {
  return listHost(root).map((listed) =>
    witness(listed, listed.type === 'file' ? digest(readableFile(hostPath(root, listed.path), listed.mode)) : ''),
  )
}

/** One of our trees, as an ordinary user would find it on disk: a device is an empty file. */
export function witnessedTree(tree: ReadonlyFileSystem): WitnessedPath[] {
  return [...listTree(tree)].map((listed) => {
    if (listed.device !== null) return witness({ ...listed, type: 'file', size: 0 }, digest(new Uint8Array()))
    if (listed.type !== 'file') return witness(listed, '')
    const buffer = new Uint8Array(listed.size ?? 0)
    tree.read(listed.ino, buffer, 0)
    return witness(listed, digest(buffer))
  })
}

function witness({ path, type, mode, size, target, linkOf, mtimeNs }: ListedPath, contents: string): WitnessedPath {
  // What directories that the archive does not name are like is each program's own, and so is when a directory was last changed.
  const attributes = type === 'directory' ? [] : [type === 'symlink' ? '' : mode.toString(8), String(mtimeNs)]
  return { path, line: JSON.stringify([path, type, size, target, linkOf, ...attributes, contents]) }
}

function readableFile(path: Buffer, mode: number): Uint8Array {
  if ((mode & 0o400) === 0) chmodSync(path, mode | 0o400)
  return readFileSync(path)
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

function hostPath(root: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(name === '' ? root : `${root}/`), Buffer.from(name, 'latin1')])
}

function hostXattrs(root: string): Map<string, Map<string, Uint8Array>> {
  const text = execFileSync('getfattr', ['-R', '-h', '-d', '-m', '-', '-e', 'hex', '.'], { cwd: root, encoding: 'latin1' })
  const all = new Map<string, Map<string, Uint8Array>>()
  for (const block of text.split('\n\n').filter(Boolean)) {
    const [head = '', ...lines] = block.split('\n')
    const name = head.replace('# file: ', '')
    const values = lines.filter(Boolean).map((line) => /^([^=]+)=0x(.*)$/.exec(line))
    all.set(
      name === '.' ? '' : name,
      new Map(values.map((match) => [match?.[1] ?? '', Uint8Array.from(Buffer.from(match?.[2] ?? '', 'hex'))])),
    )
  }
  return all
}

// umoci notes owners that it may not give as a protobuf message of two numbers.
function rootlessOwner(value: Uint8Array | undefined): { uid: number; gid: number } {
  const owner = { uid: 0, gid: 0 }
  for (let position = 0; value !== undefined && position < value.length; ) {
    const field = (value[position++] ?? 0) >> 3
    let number = 0
    for (let shift = 0; ; shift += 7) {
      const byte = value[position++] ?? 0
      number |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    // All ones: as it is.
    if (field === 1) owner.uid = Math.max(0, number)
    else owner.gid = Math.max(0, number)
  }
  return owner
}
