/** eStargz layers as containerd/stargz-snapshotter's docs/estargz.md describes them, and as nobody honest writes them. */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { tarOf } from './image-fixtures.js'

/** A layer to be. */
export interface Estargz {
  readonly blob: Buffer
  /** Digest of the uncompressed tar. */
  readonly diffId: string
  /** What a manifest says of it. */
  readonly annotations: Readonly<Record<string, string>>
  readonly tocOffset: number
}

/** An entry of a table of contents. */
export type TocEntry = Record<string, unknown>

/** How a layer is made. */
export interface EstargzForm {
  readonly chunkBytes?: number
  /** Changes the table before it is written. */
  readonly toc?: (entries: TocEntry[]) => void
  /** Entries beside the files. */
  readonly more?: readonly TocEntry[]
}

const BLOCK = 512
const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** A layer of files, each chunk in a gzip member of its own, with what stands before it in the one before. */
export function estargzOf(
  files: Readonly<Record<string, string | Uint8Array>>,
  { chunkBytes = 64 * 1024, toc = () => {}, more = [] }: EstargzForm = {},
): Estargz {
  const members: Buffer[] = []
  const plain: Buffer[] = []
  const entries: TocEntry[] = [...more]
  let written = 0
  let pending: Buffer[] = []
  const flush = () => {
    if (pending.length === 0) return
    const bytes = Buffer.concat(pending)
    plain.push(bytes)
    const member = gzipSync(bytes)
    members.push(member)
    written += member.length
    pending = []
  }
  for (const [name, text] of Object.entries(files)) {
    const content = Buffer.from(text)
    pending.push(Buffer.from(tarOf({ [name]: content }).subarray(0, BLOCK)))
    const entry: TocEntry = {
      name,
      type: 'reg',
      size: content.length,
      mode: 0o644,
      modtime: '2026-01-02T03:04:05.5Z',
      digest: sha256(content),
    }
    entries.push(entry)
    for (let at = 0; at < content.length; at += chunkBytes) {
      flush()
      const chunk = content.subarray(at, at + chunkBytes)
      const place = { offset: written, chunkOffset: at, chunkSize: chunk.length, chunkDigest: sha256(chunk) }
      if (at === 0) Object.assign(entry, place)
      else entries.push({ name, type: 'chunk', ...place })
      pending.push(chunk)
    }
    if (content.length % BLOCK !== 0) pending.push(Buffer.alloc(BLOCK - (content.length % BLOCK)))
  }
  flush()
  toc(entries)
  const json = Buffer.from(JSON.stringify({ version: 1, entries }))
  const table = Buffer.from(tarOf({ 'stargz.index.json': json }))
  plain.push(table)
  return {
    blob: Buffer.concat([...members, gzipSync(table), footer(written)]),
    diffId: sha256(Buffer.concat(plain)),
    annotations: { 'containerd.io/snapshot/stargz/toc.digest': sha256(json) },
    tocOffset: written,
  }
}

/** An empty gzip member that says where the table of contents begins. */
export function footer(tocOffset: number): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, 0x53, 0x47, 22, 0])
  const place = Buffer.from(`${tocOffset.toString(16).padStart(16, '0')}STARGZ`)
  return Buffer.concat([head, place, Buffer.from([1, 0, 0, 0xff, 0xff]), Buffer.alloc(8)])
}
