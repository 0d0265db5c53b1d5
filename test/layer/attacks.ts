/**
 * The attacks on archives by name, each with the answer that both faces must give: the layer is refused by name and nothing is kept of it, or it
 * is contained, and then this is what its tree holds. `test/rootfs/attacks.security.test.ts` carries them out.
 */
import type { ErrorCode } from '../../src/errors.js'
import { paxEntry, type RawEntry, rawTar } from './tar.js'

/** An attack: layers, base first, of which the last one does the harm. */
export interface ArchiveAttack {
  /** `outside` is a folder of the host's that the attack wants to get at, with a file `secret`. */
  layers(outside: string): readonly (readonly RawEntry[] | Uint8Array)[]
  /** The error, or lines of the tree: path, type, contents or target. A line after `-` must be missing. */
  readonly answer: ErrorCode | ((outside: string) => readonly string[])
}

const directory = (name: string, entry: Partial<RawEntry> = {}): RawEntry => ({ name, typeflag: '5', mode: 0o755, ...entry })
const symlink = (name: string, link: string): RawEntry => ({ name, typeflag: '2', link, mode: 0o777 })
const hardlink = (name: string, link: string): RawEntry => ({ name, typeflag: '1', link })
const file = (name: string, body = 'evil', entry: Partial<RawEntry> = {}): RawEntry => ({ name, body, ...entry })
const sparse = (pax: Readonly<Record<string, string>>, body = 'x'.repeat(20)): RawEntry => ({ name: 's', body, pax })
const VERSION_1 = { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 's' }

function refused(answer: ErrorCode, ...entries: readonly RawEntry[]): ArchiveAttack {
  return { layers: () => [entries], answer }
}

function contained(holds: readonly string[], ...layers: readonly (readonly RawEntry[])[]): ArchiveAttack {
  return { layers: () => layers, answer: () => holds }
}

/** All of them; SECURITY.md has a table of their kinds. */
export const ARCHIVE_ATTACKS: Readonly<Record<string, ArchiveAttack>> = {
  'umoci CVE-2021-29136: the root itself becomes a symlink, and a later layer writes through it': {
    layers: (outside) => [[symlink('.', outside)], [file('evil')]],
    answer: 'UNSAFE_PATH',
  },
  'umoci CVE-2021-29136: the same with "/" and with "./"': {
    layers: (outside) => [[directory('./'), symlink('/', outside), symlink('./', outside)]],
    answer: 'UNSAFE_PATH',
  },
  "containerd CVE-2021-32760: a hard link to a symlink out, whose mode would be set on the host's file": {
    layers: (outside) => [[symlink('way', `${outside}/secret`), { ...hardlink('other', 'way'), mode: 0o4777 }]],
    answer: (outside) => [`way symlink ${outside}/secret`, `other symlink ${outside}/secret`],
  },
  'containerd CVE-2021-32760: a symlink out, then a directory of the same name with a mode': {
    layers: (outside) => [[symlink('way', outside), directory('way', { mode: 0o777 })]],
    answer: () => ['way directory'],
  },
  'buildah CVE-2020-10696: a symlink out, and a file below it in the same layer': {
    layers: (outside) => [[symlink('way', outside), file('way/secret')]],
    answer: 'UNSAFE_PATH',
  },
  'buildah CVE-2020-10696: a symlink out, and a file below it in the next layer': {
    layers: (outside) => [[symlink('way', outside)], [file('way/secret')]],
    answer: () => ['way directory', 'way/secret file evil'],
  },
  'node-tar CVE-2026-23745: a hard link by an absolute path': {
    layers: (outside) => [[hardlink('stolen', `${outside}/secret`), file('stolen')]],
    answer: 'INVALID_ARCHIVE',
  },
  'node-tar CVE-2026-23745: a symlink by an absolute path, written to by an entry of its name': {
    layers: (outside) => [[symlink('way', `${outside}/secret`), file('way')]],
    answer: () => ['way file evil'],
  },
  'node-tar CVE-2026-24842: a hard link whose target is inside from one directory and outside from the other': {
    layers: () => [[directory('a'), directory('a/b'), hardlink('a/b/stolen', '../../../outside/secret')]],
    answer: 'UNSAFE_PATH',
  },
  'node-tar CVE-2026-26960: a hard link through a chain of symlinks': {
    layers: (outside) => [
      [directory('a'), symlink('a/one', 'two'), symlink('a/two', outside), hardlink('stolen', 'a/one/secret'), file('stolen')],
    ],
    answer: 'UNSAFE_PATH',
  },
  'tar-fs CVE-2024-12905: a symlink out, then a hard link and a file through it': {
    layers: (outside) => [[symlink('way', outside), hardlink('stolen', 'way/secret'), file('stolen')]],
    answer: 'UNSAFE_PATH',
  },
  'tar-fs CVE-2025-48387: a name that leaves the root': refused('UNSAFE_PATH', file('../outside/secret')),
  'a name that leaves the root from a directory, in a pax record': refused(
    'UNSAFE_PATH',
    file('harmless', 'evil', { pax: { path: 'a/../../outside/secret' } }),
  ),
  'an absolute name': {
    layers: (outside) => [[file('harmless', 'evil', { pax: { path: `${outside}/secret` } })]],
    answer: (outside) => [`${outside.slice(1)}/secret file evil`],
  },
  'symlinks out of the root': {
    layers: (outside) => [[symlink('absolute', `${outside}/secret`), symlink('up', '../../../../outside/secret')]],
    answer: (outside) => [`absolute symlink ${outside}/secret`, 'up symlink ../../../../outside/secret'],
  },
  'a symlink to itself': contained(['loop symlink loop'], [symlink('loop', 'loop')]),
  'a whiteout through a symlink of the same layer': {
    layers: (outside) => [[symlink('way', outside), file('way/.wh.secret', '')]],
    answer: 'UNSAFE_PATH',
  },
  'a whiteout below a symlink of the layer below': {
    layers: (outside) => [[symlink('way', outside)], [file('way/.wh.secret', '')]],
    answer: () => ['way directory'],
  },
  'a bare whiteout': refused('UNSAFE_PATH', file('.wh.', '')),
  'a whiteout of "."': refused('UNSAFE_PATH', file('a/.wh..', '')),
  'a whiteout of ".."': refused('UNSAFE_PATH', file('a/.wh...', '')),
  'a whiteout as a directory, with a file in it': refused('UNSAFE_PATH', directory('.wh.a'), file('.wh.a/b')),
  'an opaque marker as a directory, with a file in it': refused('UNSAFE_PATH', directory('.wh..wh..opq'), file('.wh..wh..opq/b')),
  'an opaque marker that is a symlink out': {
    layers: (outside) => [[file('a/below')], [symlink('a/.wh..wh..opq', outside)]],
    answer: () => ['a directory', '- a/below'],
  },
  'an opaque marker twice, last, and over the root': contained(
    ['a directory', 'a/kept file kept', '- a/gone', '- b'],
    [file('a/gone'), file('b')],
    [file('a/kept', 'kept'), file('a/.wh..wh..opq', ''), file('a/.wh..wh..opq', ''), file('.wh..wh..opq', '')],
  ),
  'an opaque marker below a file': refused('INVALID_ARCHIVE', file('a'), file('a/.wh..wh..opq', '')),
  'a whiteout of what the same layer holds': contained(['a file new'], [file('a', 'old')], [file('a', 'new'), file('.wh.a', '')]),
  "markers of AUFS's own": contained(
    ['- .wh..wh.plnk', 'a file kept'],
    [file('a', 'kept')],
    [directory('.wh..wh.plnk'), file('.wh..wh.aufs')],
  ),
  'device nodes': contained(
    ['disk block-device 8:0', 'mem character-device 1:1', 'zero character-device 0:0'],
    [
      { name: 'disk', typeflag: '4', major: 8, minor: 0, mode: 0o666 },
      { name: 'mem', typeflag: '3', major: 1, minor: 1, mode: 0o666 },
      { name: 'zero', typeflag: '3', mode: 0o666 },
    ],
  ),
  "overlay's whiteout as a device 0:0 over a file": contained(
    ['a character-device 0:0'],
    [file('a', 'below')],
    [{ name: 'a', typeflag: '3' }],
  ),
  'a device that no kernel numbers': refused('INVALID_ARCHIVE', { name: 'disk', typeflag: '4', major: 0x1000, minor: 0 }),
  "the kernel overlay's own xattrs": contained(
    ['d/below file below', 'f file kept'],
    [file('d/below', 'below'), file('f', 'kept')],
    [
      directory('d', {
        pax: {
          'SCHILY.xattr.user.overlay.opaque': 'y',
          'SCHILY.xattr.trusted.overlay.redirect': '/',
          'SCHILY.xattr.user.overlay.whiteouts': 'y',
        },
      }),
    ],
  ),
  'a name of 256 bytes': refused('INVALID_ARCHIVE', file('x', '', { pax: { path: 'n'.repeat(256) } })),
  'a path of 4,200 bytes': refused('INVALID_ARCHIVE', file('x', '', { pax: { path: 'n/'.repeat(2100) } })),
  'a symlink target of 4,200 bytes': refused('INVALID_ARCHIVE', { ...symlink('x', ''), pax: { linkpath: 'n/'.repeat(2100) } }),
  'a name with NUL': refused('INVALID_ARCHIVE', file('x', '', { pax: { path: 'a\0b' } })),
  'a pax bomb of one record of two megabytes': refused('INVALID_ARCHIVE', file('x', '', { pax: { comment: 'n'.repeat(2 << 20) } })),
  'a pax bomb of xattrs': {
    layers: () => [
      Array.from({ length: 80 }, (_, place) =>
        file(`f${place}`, '', {
          pax: Object.fromEntries(Array.from({ length: 15 }, (_, number) => [`SCHILY.xattr.user.x${number}`, 'v'.repeat(65_000)])),
        }),
      ),
    ],
    answer: 'LIMIT_EXCEEDED',
  },
  'a pax record that is longer than it says': refused('INVALID_ARCHIVE', { name: 'pax', typeflag: 'x', body: '7 a=bcdef\n' }, file('a')),
  'a pax header without its entry': {
    layers: () => [Buffer.concat([...paxEntry({ path: 'x' }), new Uint8Array(1024)])],
    answer: 'INVALID_ARCHIVE',
  },
  'a name for two entries in one long name': contained(
    [`${'n'.repeat(120)} file one`, 'short file two'],
    [{ name: '././@LongLink', typeflag: 'L', body: `${'n'.repeat(120)}\0` }, file('cut', 'one'), file('short', 'two')],
  ),
  'a size beyond the archive': refused('INVALID_ARCHIVE', file('a', 'x', { size: 8 ** 11 - 1 })),
  'a negative size': refused('INVALID_ARCHIVE', file('a', '', { raw: [[124, '\xff'.repeat(12)]] })),
  'a size in pax beyond what numbers hold': refused('INVALID_ARCHIVE', file('a', 'x', { pax: { size: '99999999999999999999' } })),
  'a size on a symlink, to hide an entry in': {
    layers: (outside) => {
      const hidden = rawTar([file('hidden', 'seen')], { end: false })
      return [Buffer.concat([rawTar([{ ...symlink('s', outside), size: hidden.length }], { end: false }), hidden, new Uint8Array(1024)])]
    },
    answer: (outside) => [`s symlink ${outside}`, 'hidden file seen'],
  },
  'sparse regions that overlap (0.0)': {
    layers: () => {
      const records = [
        ['GNU.sparse.size', '100'],
        ['GNU.sparse.numblocks', '2'],
        ['GNU.sparse.offset', '0'],
        ['GNU.sparse.numbytes', '10'],
        ['GNU.sparse.offset', '5'],
        ['GNU.sparse.numbytes', '10'],
      ] as const
      const body = records.map(([key, value]) => paxRecord(key, value)).join('')
      return [[{ name: 'pax', typeflag: 'x', body }, file('s', 'x'.repeat(20))]]
    },
    answer: 'INVALID_ARCHIVE',
  },
  'sparse regions that leave the file (0.1)': refused(
    'INVALID_ARCHIVE',
    sparse({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '0,10,95,10' }),
  ),
  'sparse regions that hold more than the entry (0.1)': refused(
    'INVALID_ARCHIVE',
    sparse({ 'GNU.sparse.size': '100', 'GNU.sparse.map': '0,10,50,20' }),
  ),
  'a sparse map that counts to a billion (1.0)': refused(
    'INVALID_ARCHIVE',
    sparse({ ...VERSION_1, 'GNU.sparse.realsize': '100' }, '999999999\n0\n1\n'),
  ),
  'a sparse map that never ends (1.0)': refused('INVALID_ARCHIVE', sparse({ ...VERSION_1, 'GNU.sparse.realsize': '100' }, '1'.repeat(600))),
  "a sparse map whose blocks never end (GNU's oldest)": {
    layers: () => {
      const more = Buffer.alloc(512)
      more[504] = 1
      const head: RawEntry = { name: 's', typeflag: 'S', magic: 'ustar  \0', raw: [[482, '\x0100000000144\0']] }
      return [Buffer.concat([rawTar([head], { end: false }), ...Array.from({ length: 100 }, () => more)])]
    },
    answer: 'INVALID_ARCHIVE',
  },
  'a sparse name out of the root (1.0)': refused(
    'UNSAFE_PATH',
    sparse({ ...VERSION_1, 'GNU.sparse.name': '../outside/secret', 'GNU.sparse.realsize': '0' }, `0\n${'\0'.repeat(510)}`),
  ),
  'a sparse file of exabytes': refused(
    'LIMIT_EXCEEDED',
    sparse({ 'GNU.sparse.size': String(2 ** 50), 'GNU.sparse.numblocks': '0', 'GNU.sparse.map': '' }, ''),
  ),
  "a sparse file of less than nothing (GNU's oldest)": refused('INVALID_ARCHIVE', {
    name: 's',
    typeflag: 'S',
    magic: 'ustar  \0',
    raw: [[483, '\xff'.repeat(12)]],
  }),
  'a sparse file of less than nothing (0.1)': refused('INVALID_ARCHIVE', sparse({ 'GNU.sparse.size': '-1', 'GNU.sparse.map': '' }, '')),
  'a sparse file that does not say how large it is, so that each reader makes another of it (1.0)': refused(
    'INVALID_ARCHIVE',
    sparse(VERSION_1, `1\n512\n512\n${'\0'.repeat(501)}${'x'.repeat(512)}`),
  ),
  'a sparse file of a gigabyte in no bytes': contained(
    ['s file 1073741824 bytes'],
    [sparse({ 'GNU.sparse.size': String(2 ** 30), 'GNU.sparse.numblocks': '0', 'GNU.sparse.map': '' }, '')],
  ),
  'duplicate entries, of all types': contained(
    ['a directory', 'a/in file last', 'b symlink a', 'c file 3'],
    [
      file('a', '1'),
      symlink('a', '/'),
      directory('a'),
      file('a/in', 'last'),
      directory('b'),
      file('b/lost'),
      symlink('b', 'a'),
      file('c', '1'),
      hardlink('c', 'a/in'),
      file('c', '3'),
    ],
  ),
  'a type that flips from layer to layer': {
    layers: (outside) => [
      [file('a', 'file'), directory('b'), file('b/lost'), symlink('c', outside)],
      [directory('a'), file('a/in', 'in'), symlink('b', outside), directory('c'), file('c/in', 'in')],
      [symlink('a', outside), file('b/in', 'in'), file('c', 'file')],
    ],
    answer: (outside) => [`a symlink ${outside}`, 'b directory', 'b/in file in', '- b/lost', 'c file file'],
  },
  'an entry behind the end of the archive': {
    layers: () => [Buffer.concat([rawTar([file('a', 'kept')]), rawTar([file('smuggled')])])],
    answer: () => ['a file kept', '- smuggled'],
  },
  'an entry behind one block of zeros': {
    layers: () => [Buffer.concat([rawTar([file('a')], { end: false }), new Uint8Array(512), rawTar([file('smuggled')])])],
    answer: 'INVALID_ARCHIVE',
  },
  'a global header that renames what follows': {
    layers: () => [Buffer.concat([...paxEntry({ path: '../outside/secret', linkpath: '/' }, 'g'), rawTar([file('a', 'kept')])])],
    answer: () => ['a file kept'],
  },
  'an entry below a file': refused('INVALID_ARCHIVE', file('a'), file('a/b')),
  'a setuid program': contained(['su file evil'], [file('su', 'evil', { mode: 0o4755 })]),
  'an owner that is nobody': refused('INVALID_ARCHIVE', file('a', '', { pax: { uid: '4294967295' } })),
  'a type of the archive’s own making': refused('INVALID_ARCHIVE', { name: 'a', typeflag: 'V' }),
  'a header whose checksum is another’s': {
    layers: () => {
      const tar = rawTar([file('a')])
      tar[0] = 0x62
      return [tar]
    },
    answer: 'INVALID_ARCHIVE',
  },
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = rest.length + String(rest.length + 2).length
  return `${length}${rest}`
}
