import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromBytes, toBytes } from '../../src/fs/names.js'
import { indexTar } from '../../src/layer/index.js'
import { PackedLayer } from '../../src/layer/packed-layer.js'
import { encodePax } from '../../src/layer/pax.js'
import { bytesSource } from '../../src/layer/source.js'

/** A raw header and what follows it; nothing is checked, so that archives can lie. */
export interface RawEntry {
  readonly name: string
  readonly typeflag?: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  readonly body?: string | Uint8Array
  /** What the header says; else the body's length. */
  readonly size?: number
  readonly mtime?: number
  readonly link?: string
  readonly magic?: string
  readonly prefix?: string
  readonly major?: number
  readonly minor?: number
  /** Whole fields, by offset, over what was made of the rest. */
  readonly raw?: readonly (readonly [offset: number, bytes: string])[]
  /** Pax records that go before. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>
}

/** A tar of raw entries, with or without its end. */
export function rawTar(entries: readonly RawEntry[], { end = true } = {}): Uint8Array {
  const parts = entries.flatMap((entry) => (entry.pax === undefined ? rawEntry(entry) : [...paxEntry(entry.pax), ...rawEntry(entry)]))
  return Buffer.concat(end ? [...parts, new Uint8Array(1024)] : parts)
}

/** An extended header as an entry of its own. */
export function paxEntry(records: Readonly<Record<string, string | Uint8Array>>, typeflag = 'x'): Uint8Array[] {
  const body = encodePax(Object.entries(records).map(([key, value]) => ({ key, value: bytesOf(value) })))
  return rawEntry({ name: 'pax', typeflag, body })
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? toBytes(value) : value
}

function rawEntry(entry: RawEntry): Uint8Array[] {
  const body = bytesOf(entry.body ?? '')
  const block = Buffer.alloc(512)
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0')
  block.write(entry.name.slice(0, 100), 0, 'latin1')
  block.write(octal(entry.mode ?? 0o644, 7), 100, 'latin1')
  block.write(octal(entry.uid ?? 0, 7), 108, 'latin1')
  block.write(octal(entry.gid ?? 0, 7), 116, 'latin1')
  block.write(octal(entry.size ?? body.length, 11), 124, 'latin1')
  block.write(octal(entry.mtime ?? 0, 11), 136, 'latin1')
  block.write(entry.typeflag ?? '0', 156, 'latin1')
  block.write(entry.link ?? '', 157, 'latin1')
  block.write(entry.magic ?? 'ustar\x0000', 257, 'latin1')
  block.write(octal(entry.major ?? 0, 7), 329, 'latin1')
  block.write(octal(entry.minor ?? 0, 7), 337, 'latin1')
  block.write(entry.prefix ?? '', 345, 'latin1')
  for (const [offset, bytes] of entry.raw ?? []) block.write(bytes, offset, 'latin1')
  block.fill(0x20, 148, 156)
  const checksum = block.reduce((sum, byte) => sum + byte, 0)
  block.write(`${octal(checksum, 6)}\0 `, 148, 'latin1')
  return [block, body, new Uint8Array((512 - (body.length % 512)) % 512)]
}

/** The layer in a tar. */
export function layerOf(tar: Uint8Array): PackedLayer {
  const source = bytesSource(tar)
  return new PackedLayer(indexTar(source), source)
}

/** Inode of a path, or undefined. */
export function inoOf(fs: Pick<PackedLayer, 'root' | 'lookup'>, path: string): number | undefined {
  let ino: number | undefined = fs.root
  for (const name of path.split('/').filter(Boolean)) {
    if (ino === undefined) return undefined
    ino = fs.lookup(ino, name)
  }
  return ino
}

/** Inode of a path that must be there. */
export function mustFind(fs: Pick<PackedLayer, 'root' | 'lookup'>, path: string): number {
  const ino = inoOf(fs, path)
  if (ino === undefined) throw new Error(`no ${path}`)
  return ino
}

/** Contents of a file as a byte string. */
export function contentsOf(fs: Pick<PackedLayer, 'root' | 'lookup' | 'read' | 'stat'>, path: string): string {
  const ino = mustFind(fs, path)
  const buffer = new Uint8Array(fs.stat(ino).size)
  const count = fs.read(ino, buffer, 0)
  return fromBytes(buffer.subarray(0, count))
}

/** Runs `body` with an empty folder that is removed afterwards. */
export async function withFolder(body: (folder: string) => unknown): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-layer-'))
  mkdirSync(join(folder, 'root'))
  try {
    await body(folder)
  } finally {
    execFileSync('chmod', ['-R', 'u+rwx', folder])
    rmSync(folder, { recursive: true, force: true })
  }
}
