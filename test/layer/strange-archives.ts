/**
 * Archives that are strange and mean no harm: what old, foreign and broken writers leave, what is in them, and who reads them as we do.
 * `strange.test.ts` asks; the fuzzer begins with them.
 */
import { paxEntry, type RawEntry, rawTar } from './tar.js'

/** Another reader of tars. */
export type Witness = 'gnu' | 'umoci'

/** A strange archive. */
export interface Strange {
  readonly tar: Uint8Array
  /** Lines of the tree that must be there: path, type, and contents or target. */
  readonly holds: readonly string[]
  /** Who reads it as we do. */
  readonly as: readonly Witness[]
}

const both: readonly Witness[] = ['gnu', 'umoci']
const bytes = (...parts: readonly (string | Uint8Array)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
const open = (entries: readonly RawEntry[]) => rawTar(entries, { end: false })
const sparseBody = 'x'.repeat(512) + 'y'.repeat(512)
/** A region of GNU's old format: two numbers of twelve bytes. */
const region = (position: number, length: number) => [position, length].map((value) => `${value.toString(8).padStart(11, '0')}\0`).join('')

/** All of them, by what is strange. */
export const STRANGE: Readonly<Record<string, Strange>> = {
  'v7, without a magic and with a directory that is a file with a slash': {
    tar: rawTar([
      { name: 'd/', magic: '\0\0\0\0\0\0\0\0', typeflag: '\0', mode: 0o755 },
      { name: 'd/f', magic: '\0\0\0\0\0\0\0\0', typeflag: '\0', body: 'old' },
    ]),
    holds: ['d directory', 'd/f file old'],
    as: both,
  },
  'ustar with a name split over the prefix': {
    tar: rawTar([{ name: 'name', prefix: 'a/prefix', body: 'x' }]),
    holds: ['a/prefix/name file x'],
    as: both,
  },
  'star with times at the end of the prefix': {
    tar: rawTar([
      {
        name: 'f',
        body: 'star',
        prefix: 'short',
        raw: [
          [345 + 131, '00000000001\x0000000000002\0'],
          [508, 'tar\0'],
        ],
      },
    ]),
    holds: ['short/f file star'],
    as: both,
  },
  "GNU's magic, with times where ustar has its prefix": {
    tar: rawTar([{ name: 'f', body: 'gnu', magic: 'ustar  \0', raw: [[345, '00000000001\x0000000000002\0']] }]),
    holds: ['f file gnu'],
    as: both,
  },
  'names and targets of one hundred bytes, without a NUL behind them': {
    tar: rawTar([
      { name: 'n'.repeat(100), body: 'x' },
      { name: 'l', typeflag: '2', link: 't'.repeat(100) },
    ]),
    holds: [`${'n'.repeat(100)} file x`, `l symlink ${'t'.repeat(100)}`],
    as: both,
  },
  'names that are not UTF-8, in a header and in a pax record': {
    tar: rawTar([
      { name: 'caf\xe9', body: 'x' },
      { name: 'short', body: 'y', pax: { hdrcharset: 'BINARY', path: '\xff\x80' } },
    ]),
    holds: ['caf\xe9 file x', '\xff\x80 file y'],
    as: both,
  },
  'a global header, which changes nothing of the entries after it': {
    tar: bytes(...paxEntry({ comment: 'made by git', mtime: '1' }, 'g'), rawTar([{ name: 'a', body: 'x', mtime: 5 }])),
    holds: ['a file x'],
    // GNU tar has it change all that follow, and umoci refuses it; this is what docker and containers/storage make of it.
    as: [],
  },
  'a global header between an extension and its entry': {
    tar: bytes(...paxEntry({ path: 'long' }), ...paxEntry({ comment: 'x' }, 'g'), rawTar([{ name: 'short', body: 'x' }])),
    holds: ['long file x'],
    // Go's reader forgets the extension, GNU tar takes both for one: what both wrote was never seen, what is here is POSIX's word.
    as: [],
  },
  'numbers in base 256, negative ones too': {
    tar: rawTar([
      { name: 'before-1970', body: 'x', raw: [[136, `${'\xff'.repeat(11)}\xfe`]] },
      { name: 'size', body: 'four', raw: [[124, `\x80${'\0'.repeat(10)}\x04`]] },
    ]),
    holds: ['before-1970 file x', 'size file four'],
    as: both,
  },
  'octal numbers between blanks, without an end, and none at all': {
    tar: rawTar([
      {
        name: 'a',
        body: 'x',
        raw: [
          [100, '   644 \0'],
          [124, '00000000001 '],
          [136, '      17 \0\0\0'],
        ],
      },
      { name: 'b', raw: [[124, '\0'.repeat(12)]] },
      { name: 'c', body: 'eight', raw: [[124, '000000000005']] },
    ]),
    holds: ['a file x', 'b file', 'c file eight'],
    as: both,
  },
  'a checksum of signed bytes, as old systems summed': {
    tar: signedChecksum(rawTar([{ name: 'caf\xe9', body: 'x' }])),
    holds: ['caf\xe9 file x'],
    as: both,
  },
  'a time with a fraction finer than nanoseconds, and a negative one': {
    tar: rawTar([
      { name: 'a', body: 'x', pax: { mtime: '1.0000000019' } },
      { name: 'b', body: 'y', pax: { mtime: '-1.5' } },
    ]),
    holds: ['a file x', 'b file y'],
    as: both,
  },
  'a pax record without a value, which takes the field back': {
    tar: rawTar([{ name: 'kept', body: 'x', pax: { path: '', mtime: '' } }]),
    holds: ['kept file x'],
    as: ['umoci'],
  },
  'a pax record twice: the last one counts': {
    tar: bytes(open([{ name: 'pax', typeflag: 'x', body: '14 path=first\n15 path=second\n' }]), rawTar([{ name: 'short', body: 'x' }])),
    holds: ['second file x'],
    as: both,
  },
  'a pax size over that of the header': {
    tar: rawTar([{ name: 'a', body: 'hello', size: 0, pax: { size: '5' } }, { name: 'b' }]),
    holds: ['a file hello', 'b file'],
    as: both,
  },
  "GNU's long names and links": {
    tar: rawTar([
      { name: '././@LongLink', typeflag: 'L', magic: 'ustar  \0', body: `${'d'.repeat(120)}/f\0` },
      { name: 'short', magic: 'ustar  \0', body: 'x' },
      { name: '././@LongLink', typeflag: 'K', magic: 'ustar  \0', body: `${'t'.repeat(120)}\0` },
      { name: 'l', magic: 'ustar  \0', typeflag: '2', link: 'cut' },
    ]),
    holds: [`${'d'.repeat(120)}/f file x`, `l symlink ${'t'.repeat(120)}`],
    as: both,
  },
  'a contiguous file': { tar: rawTar([{ name: 'a', typeflag: '7', body: 'x' }]), holds: ['a file x'], as: ['gnu'] },
  'a directory without a slash, with a size it does not have': {
    tar: rawTar([
      { name: 'd', typeflag: '5', mode: 0o755, size: 4096 },
      { name: 'd/f', body: 'x' },
    ]),
    holds: ['d directory', 'd/f file x'],
    as: ['umoci'],
  },
  'dots, doubled slashes and a leading slash': {
    tar: rawTar([{ name: './a//b/./c', body: 'x' }]),
    holds: ['a/b/c file x'],
    as: both,
  },
  'trailing garbage': {
    tar: bytes(rawTar([{ name: 'a', body: 'x' }]), 'garbage'.repeat(300)),
    holds: ['a file x'],
    as: both,
  },
  'two archives behind one another: the second is not seen': {
    tar: bytes(rawTar([{ name: 'a', body: 'x' }]), rawTar([{ name: 'b', body: 'y' }])),
    holds: ['a file x'],
    as: both,
  },
  'an end marker of one block, at the end': {
    tar: bytes(open([{ name: 'a', body: 'x' }]), new Uint8Array(512)),
    holds: ['a file x'],
    as: ['umoci'],
  },
  'no end marker': { tar: open([{ name: 'a', body: 'x' }]), holds: ['a file x'], as: both },
  'no filling of the last block': {
    tar: open([{ name: 'a', body: 'x' }]).subarray(0, 513),
    holds: ['a file x'],
    as: ['umoci'],
  },
  'an archive of twenty blocks, as tapes have them': {
    tar: bytes(rawTar([{ name: 'a', body: 'x' }]), new Uint8Array(10_240 - 2048)),
    holds: ['a file x'],
    as: both,
  },
  'no entries at all': { tar: rawTar([]), holds: [], as: both },
  "GNU's oldest sparse files, with their map in the header": {
    tar: rawTar([
      {
        name: 's',
        typeflag: 'S',
        magic: 'ustar  \0',
        body: sparseBody,
        raw: [
          [386, region(512, 512) + region(2048, 512) + region(3072, 0)],
          [483, '00000006000\0'],
        ],
      },
    ]),
    holds: [`s file ${'\0'.repeat(512)}${'x'.repeat(512)}${'\0'.repeat(1024)}${'y'.repeat(512)}${'\0'.repeat(512)}`],
    as: ['gnu'],
  },
  'sparse 0.1 with two regions that touch': {
    tar: rawTar([
      {
        name: 's',
        body: sparseBody,
        pax: { 'GNU.sparse.size': '1100', 'GNU.sparse.numblocks': '2', 'GNU.sparse.map': '0,512,512,512' },
      },
    ]),
    holds: [`s file ${sparseBody}${'\0'.repeat(76)}`],
    // GNU tar goes by its last region, which its own writers put at the end.
    as: ['umoci'],
  },
  'sparse 1.0, whose name is in a record of its own': {
    tar: rawTar([
      {
        name: 'GNUSparseFile.0/s',
        body: `1\n512\n512\n${'\0'.repeat(502)}${'x'.repeat(512)}`,
        pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'real', 'GNU.sparse.realsize': '1024' },
      },
    ]),
    holds: [`real file ${'\0'.repeat(512)}${'x'.repeat(512)}`],
    as: both,
  },
}

function signedChecksum(tar: Uint8Array): Uint8Array {
  const copy = Buffer.from(tar)
  copy.fill(0x20, 148, 156)
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + (byte > 127 ? byte - 256 : byte), 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return copy
}
