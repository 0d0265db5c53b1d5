import { EngineError } from '../errors.js'

/** Bytes that {@link assertTar} wants to see: a tar's first header. */
export const TAR_HEAD_BYTES = 512

/** Something else than a tar, by its first bytes. */
interface Foreign {
  readonly magic: readonly string[]
  /** `is …` */
  readonly what: string
  /** What makes a tar of it, to be piped on; FILE stands for its name. */
  readonly toTar?: string
}

const FOREIGN: readonly Foreign[] = [
  { magic: ['\xfd7zXZ\0'], what: 'compressed with xz, which is not built in', toTar: 'xz -dc FILE' },
  { magic: ['BZh'], what: 'compressed with bzip2, which is not built in', toTar: 'bzip2 -dc FILE' },
  { magic: ['LZIP'], what: 'compressed with lzip, which is not built in', toTar: 'lzip -dc FILE' },
  { magic: ['\x04"M\x18'], what: 'compressed with lz4, which is not built in', toTar: 'lz4 -dc FILE' },
  { magic: ['PK\x03\x04', 'PK\x05\x06'], what: 'a zip archive, not a tar', toTar: 'unzip -q FILE -d root && tar -C root -c .' },
  { magic: ['!<arch>\n'], what: 'a Debian package or another ar archive, not a tar', toTar: 'dpkg-deb --fsys-tarfile FILE' },
  { magic: ['\x7fELF'], what: 'an ELF program, not a tar', toTar: 'tar -c FILE' },
  { magic: ['\0asm'], what: 'a WebAssembly module, not a tar' },
]

/**
 * Refuses, as INVALID_ARCHIVE, what is surely no tar: nothing at all, another format, a text. `head` are the first
 * {@link TAR_HEAD_BYTES} or all there are; `path` names them, null for a stream.
 */
export function assertTar(head: Uint8Array, path: string | null, command: 'import' | 'load'): void {
  const name = path ?? 'the input'
  if (head.length === 0) throw new EngineError('INVALID_ARCHIVE', `${name} is empty`, { hint: 'Name a tar, or pipe one in.' })
  const start = Buffer.from(head).toString('latin1')
  if (start.startsWith('ustar', 257)) return
  const foreign = FOREIGN.find(({ magic }) => magic.some((bytes) => start.startsWith(bytes)))
  if (foreign !== undefined)
    throw new EngineError('INVALID_ARCHIVE', `${name} is ${foreign.what}`, { hint: hintFor(foreign, path ?? 'FILE', command) })
  if (isText(head)) throw new EngineError('INVALID_ARCHIVE', `${name} is a text, not a tar`)
}

function hintFor({ what, toTar }: Foreign, path: string, command: 'import' | 'load'): string {
  const receiver = command === 'import' ? 'wolffia import - NAME' : 'wolffia load'
  if (toTar === undefined) return `Make an image of it: wolffia import ${path} NAME`
  if (command === 'load' && !what.startsWith('compressed')) return 'What load takes is written by docker save, skopeo or podman save.'
  return `Write: ${toTar.replace('FILE', () => path)} | ${receiver}`
}

/** A tar's header has NUL bytes, as text has not. */
function isText(head: Uint8Array): boolean {
  return head.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === 0x1b)
}
