/**
 * Whether each tree that was unpacked for the kernel is whole, and is what its layer says. What is not is taken away: whoever wants it next has
 * it written anew.
 */
import { existsSync, lstatSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../errors.js'
import { type IdMap, keptIdMap, keptIdsOf } from '../launcher/id-map.js'
import type { TreeRecord } from '../launcher/tree-stream.js'
import { openFileSource } from '../layer/file-source.js'
import type { ByteSource } from '../layer/source.js'
import { type DiffId, digestFromHex } from '../oci/digest.js'
import { type Flaw, flaw, foreign, leftover } from '../store/flaw.js'
import { folderNames } from '../store/folder-names.js'
import type { StoredLayer } from '../store/layer-store.js'
import { deadClaims } from '../store/lock.js'
import { bootId, mayBeAlive } from '../store/process-identity.js'
import { captureUpper, type KernelPath, listRecords } from './capture.js'
import { openStoredLayer } from './layer-stack.js'
import { removeTrees } from './remove-tree.js'
import { COMPLETE, IN_MEMORY, LASTING, type Marker } from './tree-marker.js'
import { layerRecords } from './tree-records.js'
import { PARTIAL, publishing } from './write-tree.js'

const HEX = /^[0-9a-f]{64}$/
const STACK = /^stack-[0-9a-f]{64}$/
const LOCK = 'publish.lock'

/** What {@link TreesCheck} is told of the rest of the store. */
export interface TreesCheckRequest {
  /** The home. */
  readonly root: string
  readonly idMap: IdMap
  /** A layer whose tar and index are sound; null for any other. */
  readonly soundLayer: (diffId: DiffId) => StoredLayer | null
  readonly imagesOf: (diffId: DiffId) => readonly string[]
  /** Names of containers that run from a layer's tree, which cannot be taken from under them. */
  readonly runningOn: (diffId: DiffId) => readonly string[]
}

/** A check that remembers which trees it has read: they are read once, however often it is made. */
export class TreesCheck {
  readonly #read = new Map<string, string | null>()
  /** Trees that were read. */
  get trees(): number {
    return this.#read.size
  }

  /** Flaws of all trees of the id map, and of those over it that keep ids; those of another are of no use and no harm. */
  async flaws(request: TreesCheckRequest): Promise<readonly Flaw[]> {
    const { root, idMap } = request
    const flaws = await this.#mapFlaws(request)
    for (const name of folderNames(join(root, 'trees'))) {
      const kept = keptIdsOf(idMap, name)
      if (kept !== null) flaws.push(...(await this.#mapFlaws({ ...request, idMap: keptIdMap(idMap, kept) })))
    }
    const claims = deadClaims(folderNames(join(root, 'trees', LOCK)))
    for (const claim of claims.dead) flaws.push(leftover(root, join('trees', LOCK, claim)))
    return flaws
  }

  async #mapFlaws(request: TreesCheckRequest): Promise<Flaw[]> {
    const { root, idMap } = request
    const map = join('trees', idMap.key)
    const names = folderNames(join(root, map))
    const flaws = names
      .filter((name) => !HEX.test(name) && !STACK.test(name) && name !== 'flush-begun')
      .map((name) => foreign(root, join(map, name)))
    for (const name of names.filter((name) => HEX.test(name) || STACK.test(name)))
      flaws.push(...(await this.#treeFlaws(join(map, name), name, request)))
    return flaws
  }

  async #treeFlaws(path: string, name: string, request: TreesCheckRequest): Promise<readonly Flaw[]> {
    const { root, idMap } = request
    const folder = join(root, path)
    const there = folderNames(folder)
    const partials = there.filter((file) => file.startsWith(PARTIAL))
    const dead = partials.filter((partial) => !mayBeAlive(partial.slice(PARTIAL.length)))
    const flaws = dead.map((partial) =>
      flaw('leftover', join(path, partial), 'was being written by a process that is gone', {
        repair: () => removeTrees(idMap, [join(folder, partial)]),
      }),
    )
    for (const file of there.filter((other) => !['tree', COMPLETE, IN_MEMORY, LASTING, ...partials].includes(other))) {
      const writer = file.startsWith(`complete.${PARTIAL}`) ? file.slice(`complete.${PARTIAL}`.length) : null
      if (writer === null) flaws.push(foreign(root, join(path, file)))
      else if (!mayBeAlive(writer)) flaws.push(leftover(root, join(path, file)))
    }
    const problem = partials.length > dead.length ? null : await this.#problemOf(folder, name, request)
    return problem === null ? flaws : [...flaws, this.#flawOf(path, name, problem, request)]
  }

  #flawOf(path: string, name: string, problem: string, { root, idMap, imagesOf, runningOn }: TreesCheckRequest): Flaw {
    const diffId = HEX.test(name) ? digestFromHex(name) : null
    const running = diffId === null ? [] : runningOn(diffId)
    if (running.length > 0)
      return flaw('tree', path, problem, {
        images: diffId === null ? [] : imagesOf(diffId),
        remedy: `Stop what runs from it, and check again: wolffia stop ${running.join(' ')}`,
      })
    return flaw('tree', path, problem, {
      images: diffId === null ? [] : imagesOf(diffId),
      repair: () => removeDamaged(join(root, 'trees'), join(root, path), idMap),
    })
  }

  async #problemOf(folder: string, name: string, request: TreesCheckRequest): Promise<string | null> {
    const text = readMarkerText(folder)
    // What a holder has in its memory is there as long as it lives, and as it was written.
    if (text === null && existsSync(join(folder, IN_MEMORY))) return null
    if (text === null) return existsSync(join(folder, 'tree')) ? 'has no mark that it is whole' : 'was begun and not finished'
    const marker = parseMarker(text)
    if (marker === null) return 'has a mark that cannot be read'
    // One of an earlier boot that was not known to be on the disk is not trusted by anybody, and written anew when it is wanted.
    if (marker.boot !== null && marker.boot !== bootId()) return null
    if (!existsSync(join(folder, 'tree'))) return 'is marked as whole, and is not there'
    const lost = (marker.lowers ?? []).filter((lower) => lower !== name && !existsSync(join(folder, '..', lower, COMPLETE)))
    if (lost.length > 0) return `stands on ${lost.length === 1 ? 'a tree that is' : `${lost.length} trees that are`} gone`
    return HEX.test(name) ? this.#contentsProblem(folder, digestFromHex(name), request) : null
  }

  /** Of a stack only the marks are looked at: its own tree is empty directories. */
  async #contentsProblem(folder: string, diffId: DiffId, { idMap, soundLayer }: TreesCheckRequest): Promise<string | null> {
    const layer = soundLayer(diffId)
    const stat = lstatSync(join(folder, COMPLETE), { throwIfNoEntry: false })
    // Without its layer there is nothing to compare it with, and nobody starts from it.
    if (layer === null || stat === undefined) return null
    const key = [folder, stat.ino, stat.mtimeMs].join(':')
    const known = this.#read.get(key)
    if (known !== undefined) return known
    const problem = await difference(layer, folder, idMap)
    if (lstatSync(join(folder, COMPLETE), { throwIfNoEntry: false })?.ino !== stat.ino) return null
    this.#read.set(key, problem)
    return problem
  }
}

/** How a tree differs from its layer, or null. */
async function difference(layer: StoredLayer, folder: string, idMap: IdMap): Promise<string | null> {
  const packed = openStoredLayer(layer)
  const tar = openFileSource(layer.tarPath)
  try {
    const line = (path: KernelPath) => lineOf(path, { owners: idMap.kind === 'range' })
    const wanted = new Map((await listRecords(withContents(layerRecords(packed), tar))).map((path) => [path.path, line(path)]))
    const found = new Map((await listRecords(captureUpper(idMap, join(folder, 'tree')))).map((path) => [path.path, line(path)]))
    const missing = [...wanted.keys()].filter((path) => !found.has(path))
    const more = [...found.keys()].filter((path) => !wanted.has(path))
    const changed = [...wanted].filter(([path, text]) => found.has(path) && found.get(path) !== text).map(([path]) => path)
    const parts = [told(missing, 'lacks'), told(more, 'has too'), told(changed, 'has changed')].filter((part) => part !== '')
    return parts.length === 0 ? null : `is not what its layer says: it ${parts.join(', ')}`
  } catch (error) {
    return `cannot be read: ${messageOf(error)}`
  } finally {
    packed.close()
    tar.close()
  }
}

function told([first, ...others]: readonly string[], what: string): string {
  if (first === undefined) return ''
  return `${what} ${JSON.stringify(first === '' ? '/' : first)}${others.length === 0 ? '' : ` and ${others.length} more`}`
}

/** The records with the bytes themselves for where they are in the tar. */
function* withContents(records: Iterable<TreeRecord>, tar: ByteSource): Generator<TreeRecord> {
  for (const record of records)
    if (record.record !== 'copy') yield record
    else
      for (let done = 0; done < record.length; ) {
        const bytes = new Uint8Array(Math.min(PIECE_BYTES, record.length - done))
        const count = tar.read(bytes, record.sourceOffset + done)
        if (count === 0) return
        yield { record: 'data', offset: record.offset + done, bytes: bytes.subarray(0, count) }
        done += count
      }
}

const PIECE_BYTES = 1 << 18

/** All of a path that is the same on disk and in a layer; under a single id everything is the user's own. */
function lineOf(path: KernelPath, { owners }: { readonly owners: boolean }): string {
  const { type, mode, uid, gid, size, device, target, linkOf, mtimeNs, xattrs, sha256 } = path
  const attributes = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('hex')}`).sort()
  // The kernel has no modes of symlinks.
  return JSON.stringify([
    type,
    type === 'symlink' ? null : mode,
    owners ? [uid, gid] : null,
    size,
    device,
    target,
    linkOf,
    `${mtimeNs}`,
    attributes,
    sha256,
  ])
}

/** Takes away a tree that is marked wrongly or not at all, while nobody puts one there. */
async function removeDamaged(directory: string, folder: string, idMap: IdMap): Promise<void> {
  await publishing(directory).hold(async () => {
    rmSync(join(folder, LASTING), { force: true })
    rmSync(join(folder, COMPLETE), { force: true })
    await removeTrees(idMap, [join(folder, 'tree')])
    try {
      rmdirSync(folder)
    } catch {
      // Somebody is writing it anew already.
    }
  })
}

function readMarkerText(folder: string): string | null {
  try {
    return readFileSync(join(folder, COMPLETE), 'utf8')
  } catch {
    return null
  }
}

function parseMarker(text: string): Marker | null {
  try {
    const marker = JSON.parse(text) as Marker
    const { boot, lowers = [] } = marker
    return (boot === null || typeof boot === 'string') && Array.isArray(lowers) ? marker : null
  } catch {
    return null
  }
}
