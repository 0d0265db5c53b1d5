import { EngineError } from '../../errors.js'
import { ErrnoError } from '../../fs/errno.js'
import type { ByteString } from '../../fs/file-system.js'
import { MountTable } from '../../fs/mounts.js'
import { UnionFs } from '../../fs/union-fs.js'
import { type TreeRecord, TreeStreamDecoder } from '../../launcher/tree-stream.js'
import { packTar } from '../../layer/pack.js'
import { changedEntries } from '../../layer/pack-tree.js'
import { type MountedTree, placeAt, placeEntries, readOnlyPlace, statPlace, unpackInto } from '../../layer/tree-copy.js'
import { applyRecords } from '../../rootfs/apply-records.js'
import { writableLayer } from '../../runtime/writable-layer.js'
import { KeptTree, type KeptTreeParts } from '../kept-tree.js'
import type { GuestTree, Place } from '../preview1/guest-tree.js'
import type { InputStream, OutputStream } from '../preview1/host.js'
import { touchedPaths } from '../touched-paths.js'
import type { GuestFiles } from './guest-files.js'
import { InputSource } from './input-source.js'
import type { FileRequest, SaidChange, SaidStat } from './session-protocol.js'

/** What a request is answered with. */
export interface FileWork {
  readonly files: GuestFiles
  /** How many of the root's layers are the image's. */
  readonly imageLayers: number
  readonly input: InputStream
  readonly output: OutputStream
}

const PIECE_BYTES = 65_536

/** Does what is asked about the container's files. What comes of it is output. */
export function answerFileRequest(request: FileRequest, { files, imageLayers, input, output }: FileWork): void {
  const tree = mountedTree(files.tree)
  const say = (said: SaidStat | SaidChange) => output.write(Buffer.from(`${JSON.stringify(said)}\n`))
  const send = (pieces: Iterable<Uint8Array>) => {
    for (const piece of pieces) output.write(piece)
  }
  switch (request.request) {
    case 'read-file':
      sendFile(files.tree, request.path, request.maximumBytes, output)
      break
    case 'stat':
      say(saidStat(tree, request.path))
      break
    case 'read': {
      const place = placeAt(tree, request.path)
      if (place !== null) send(packTar(placeEntries(tree, place, request.name)))
      break
    }
    case 'read-root':
      send(packTar(placeEntries({ mounts: new MountTable() }, files.tree.root, '')))
      break
    case 'read-layer':
      send(packTar(changedEntries(new KeptTree(keptParts(files.tree, imageLayers)))))
      break
    case 'changes': {
      const { before, touched } = keptParts(files.tree, imageLayers)
      const { changes, bytes } = writableLayer(before, touched)
      for (const { kind, path } of changes) say([kind, path])
      say([bytes])
      break
    }
    case 'write':
      unpackInto(tree, request.path, new InputSource(input, request.bytes))
      break
    case 'change':
      if (tree.isReadonly(files.tree.root.fs)) throw readOnlyPlace('/')
      applyRecords(files.tree.root.fs, recordsFrom(input))
      break
  }
}

function* recordsFrom(input: InputStream): Generator<TreeRecord> {
  const decoder = new TreeStreamDecoder()
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    const count = input.read(piece)
    if (count === 0) break
    yield* decoder.push(piece.subarray(0, count))
  }
  decoder.finish()
}

function mountedTree(tree: GuestTree): MountedTree {
  return { root: tree.root, mounts: tree.mounts, isReadonly: (fs) => tree.isReadonly(fs) }
}

function saidStat(tree: MountedTree, path: ByteString): SaidStat {
  const place = placeAt(tree, path)
  if (place === null) return null
  const { mtimeNs, ...stat } = statPlace(place)
  return { ...stat, mtimeNs: mtimeNs.toString() }
}

/** The root with its differences from the image's layers. */
function keptParts({ root: { fs: after } }: GuestTree, imageLayers: number): KeptTreeParts {
  if (!(after instanceof UnionFs)) throw new EngineError('INTERNAL', 'the root of a sandbox is no union')
  const before = new UnionFs({ lowers: after.lowers.slice(0, imageLayers) })
  return { before, after, touched: touchedPaths(before, after.lowers.slice(imageLayers), after) }
}

function sendFile(tree: GuestTree, path: ByteString, maximumBytes: number, output: OutputStream): void {
  const place = fileAt(tree, path)
  if (place === null) return
  const piece = new Uint8Array(PIECE_BYTES)
  for (let position = 0; position < maximumBytes; ) {
    const count = place.fs.read(place.ino, piece.subarray(0, Math.min(PIECE_BYTES, maximumBytes - position)), position)
    if (count === 0) return
    output.write(piece.subarray(0, count))
    position += count
  }
}

/** A regular file; null for anything else. */
function fileAt(tree: GuestTree, path: ByteString): Place | null {
  try {
    const { fs, ino, type } = tree.walkAsHost(path)
    return ino === undefined || type !== 'file' ? null : { fs, ino }
  } catch (error) {
    if (error instanceof ErrnoError) return null
    throw error
  }
}
