/**
 * A layer's tree while its entries come in. Nothing is ever resolved: a name is a list of components that go down from the root, links are
 * data.
 *
 * - `..` is refused, leading slashes and `.` fall away.
 * - An entry below a symlink of the same layer is refused: other engines follow it, within the root or not, and they differ.
 * - A later entry of the same name replaces the earlier one; a directory over a directory only takes over its attributes.
 */
import { EngineError } from '../errors.js'
import type { ByteString, DeviceNumber, FileType } from '../fs/file-system.js'
import type { TarEntry } from './entry.js'
import { malformed } from './header.js'
import { limitExceeded } from './limits.js'
import type { Segment } from './sparse.js'
import { OPAQUE_WHITEOUT, parseMarker, WHITEOUT_PREFIX } from './whiteout.js'

/** An inode under construction; hard links are the same object under several names. */
export interface LayerNode {
  type: FileType
  mode: number
  uid: number
  gid: number
  size: number
  segments: readonly Segment[]
  target: ByteString
  device: DeviceNumber | null
  mtimeNs: bigint
  atimeNs: bigint
  xattrs: ReadonlyMap<ByteString, Uint8Array>
  /** Null for anything but a directory. */
  children: Map<ByteString, LayerNode> | null
  whiteouts: Set<ByteString> | null
  opaque: boolean
  /** A directory without an entry of its own. */
  implied: boolean
  /** Names that a file has in a layer of which this tree may hide some; null where it is those that are here. */
  layerNames: number | null
}

// What Linux can hold: a name, a path, an xattr's name and value, a device's numbers.
const MAXIMUM_NAME_BYTES = 255
/** The longest path of a layer, without a leading slash, and the longest target of a symlink. */
export const MAXIMUM_PATH_BYTES = 4095
/** The longest value of an xattr. */
export const MAXIMUM_XATTR_BYTES = 65_536
/** The largest major number of a device. */
export const MAXIMUM_MAJOR = 0xfff
/** The largest minor number of a device. */
export const MAXIMUM_MINOR = 0xf_ffff
/** What a marker adds to the path that it is about. */
const MARKER_BYTES = `/${OPAQUE_WHITEOUT}`.length
// 64 bits of nanoseconds: the year 2262.
const MAXIMUM_TIME_NS = 2n ** 63n - 1n
const NO_XATTRS: ReadonlyMap<ByteString, Uint8Array> = new Map()
// The kernel's overlay keeps its own notes there; a layer must not write them, and no mounted tree would show them.
const OVERLAY_XATTR = /^(user|trusted)\.overlay\./

const WORDS = { nodes: 'files', segments: 'parts of sparse files', nameBytes: 'bytes of names', xattrBytes: 'bytes of xattrs' } as const

/** What a whole tree may hold. What is replaced by later entries counts. */
export interface TreeLimits {
  readonly nodes: number
  readonly segments: number
  readonly nameBytes: number
  readonly xattrBytes: number
}

/** Takes entries in order and is then the layer's tree. */
export class TreeBuilder {
  readonly root: LayerNode = impliedDirectory()
  readonly #limits: TreeLimits
  readonly #held = { nodes: 0, segments: 0, nameBytes: 0, xattrBytes: 0 }

  constructor(limits: TreeLimits) {
    this.#limits = limits
  }

  /** Places one entry. Throws UNSAFE_PATH, INVALID_ARCHIVE, LIMIT_EXCEEDED. */
  add(entry: TarEntry): void {
    const components = splitName(entry.name, entry)
    const name = components.pop()
    this.#take('segments', entry.segments.length)
    for (const [key, value] of entry.xattrs) this.#take('xattrBytes', key.length + value.length)
    if (name === undefined) {
      if (entry.type !== 'directory') throw unsafe(entry, 'the layer replaces the root directory by something else')
      assignAttributes(this.root, entry)
      return
    }
    const marker = parseMarker(name)
    if (marker?.kind === 'ignored') return
    const directory = this.#makeParents(components, entry)
    this.#takeNode(name.length + (entry.type === 'symlink' ? entry.target.length : 0))
    if (marker?.kind === 'opaque') directory.opaque = true
    else if (marker?.kind === 'whiteout') (directory.whiteouts ??= new Set()).add(marker.name)
    else this.#place(directory, name, entry)
  }

  #place(directory: LayerNode, name: ByteString, entry: TarEntry): void {
    const children = childrenOf(directory)
    const existing = children.get(name)
    if (entry.type === 'hardlink') {
      const target = this.#findLinkTarget(entry)
      if (target === existing) throw malformed('a hard link to itself', entry.headerOffset, entry.name)
      children.set(name, target)
    } else if (entry.type === 'directory' && existing?.type === 'directory') assignAttributes(existing, entry)
    else children.set(name, newNode(entry, entry.type))
  }

  #makeParents(components: readonly ByteString[], entry: TarEntry): LayerNode {
    let directory = this.root
    for (const component of components) {
      if (component.startsWith('.wh.')) throw unsafe(entry, 'an entry of the layer stands below a whiteout')
      const children = childrenOf(directory)
      const existing = children.get(component)
      if (existing?.type === 'symlink') throw unsafe(entry, 'an entry of the layer goes through a symlink of the same layer')
      if (existing !== undefined && existing.type !== 'directory')
        throw malformed(`an entry below a ${existing.type}`, entry.headerOffset, entry.name)
      directory = existing ?? impliedDirectory()
      if (existing !== undefined) continue
      this.#takeNode(component.length)
      children.set(component, directory)
    }
    return directory
  }

  #takeNode(nameBytes: number): void {
    this.#take('nodes', 1)
    this.#take('nameBytes', nameBytes)
  }

  #take(what: keyof TreeLimits, count: number): void {
    this.#held[what] += count
    const limit = this.#limits[what]
    if (this.#held[what] > limit)
      throw limitExceeded(`the layer holds more than ${limit} ${WORDS[what]}`, 'WOLFFIA_LAYER_ENTRIES', { limit })
  }

  #findLinkTarget(entry: TarEntry): LayerNode {
    let node: LayerNode | undefined = this.root
    for (const component of splitName(entry.target, entry)) {
      if (node?.type === 'symlink') throw unsafe(entry, 'a hard link of the layer goes through a symlink')
      node = node?.children?.get(component)
    }
    if (node === undefined)
      throw malformed(
        `a hard link to ${JSON.stringify(entry.target)}, which the layer does not hold before it,`,
        entry.headerOffset,
        entry.name,
      )
    if (node.type === 'directory') throw malformed('a hard link to a directory', entry.headerOffset, entry.name)
    return node
  }
}

function splitName(name: ByteString, entry: TarEntry): ByteString[] {
  if (name === '') throw malformed('an entry without a name', entry.headerOffset)
  const isMarker = name.startsWith(WHITEOUT_PREFIX, name.lastIndexOf('/') + 1)
  if (name.length > MAXIMUM_PATH_BYTES + (isMarker ? MARKER_BYTES : 0))
    throw malformed(`a path of ${name.length} bytes`, entry.headerOffset)
  const components = name.split('/').filter((component) => component !== '' && component !== '.')
  for (const component of components) {
    if (component === '..') throw unsafe(entry, 'an entry of the layer leaves its directory by ".."')
    if (component.length > MAXIMUM_NAME_BYTES + (component.startsWith(WHITEOUT_PREFIX) ? WHITEOUT_PREFIX.length : 0))
      throw malformed(`a name of ${component.length} bytes`, entry.headerOffset)
  }
  return components
}

function unsafe(entry: TarEntry, reason: string): EngineError {
  return new EngineError('UNSAFE_PATH', `${reason}: ${JSON.stringify(entry.name)}`, {
    data: { entry: entry.name, ...(entry.target === '' ? {} : { target: entry.target }), offset: entry.headerOffset },
  })
}

function childrenOf(directory: LayerNode): Map<ByteString, LayerNode> {
  return (directory.children ??= new Map())
}

function impliedDirectory(): LayerNode {
  return emptyNode('directory')
}

function emptyNode(type: FileType): LayerNode {
  return {
    type,
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    segments: [],
    target: '',
    device: null,
    mtimeNs: 0n,
    atimeNs: 0n,
    xattrs: NO_XATTRS,
    children: type === 'directory' ? new Map() : null,
    whiteouts: null,
    opaque: false,
    implied: true,
    layerNames: null,
  }
}

function newNode(entry: TarEntry, type: FileType): LayerNode {
  const node = emptyNode(type)
  if (entry.device !== null && !(inRange(entry.device.major, MAXIMUM_MAJOR) && inRange(entry.device.minor, MAXIMUM_MINOR)))
    throw malformed(`device ${entry.device.major}:${entry.device.minor}`, entry.headerOffset, entry.name)
  if (type === 'symlink') {
    if (entry.target === '' || entry.target.length > MAXIMUM_PATH_BYTES)
      throw malformed(`a symlink target of ${entry.target.length} bytes`, entry.headerOffset, entry.name)
    node.target = entry.target
  }
  node.size = type === 'symlink' ? entry.target.length : entry.size
  node.segments = entry.segments
  node.device = entry.device
  assignAttributes(node, entry)
  return node
}

function assignAttributes(node: LayerNode, entry: TarEntry): void {
  // Linux gives symlinks no mode of their own.
  node.mode = node.type === 'symlink' ? 0o777 : entry.mode
  node.uid = entry.uid
  node.gid = entry.gid
  node.mtimeNs = clampTime(entry.mtimeNs)
  node.atimeNs = clampTime(entry.atimeNs ?? entry.mtimeNs)
  node.xattrs = keptXattrs(entry)
  node.implied = false
}

function inRange(value: number, maximum: number): boolean {
  return value >= 0 && value <= maximum
}

function clampTime(timeNs: bigint): bigint {
  if (timeNs > MAXIMUM_TIME_NS) return MAXIMUM_TIME_NS
  return timeNs < -MAXIMUM_TIME_NS ? -MAXIMUM_TIME_NS : timeNs
}

function keptXattrs(entry: TarEntry): ReadonlyMap<ByteString, Uint8Array> {
  if (entry.xattrs.size === 0) return NO_XATTRS
  const kept = new Map<ByteString, Uint8Array>()
  for (const [name, value] of entry.xattrs) {
    if (name === '' || name.length > MAXIMUM_NAME_BYTES || name.includes('\0') || value.length > MAXIMUM_XATTR_BYTES)
      throw malformed('an xattr that no file can have', entry.headerOffset, entry.name)
    if (!OVERLAY_XATTR.test(name)) kept.set(name, value)
  }
  return kept
}
