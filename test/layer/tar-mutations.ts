/**
 * Archives changed by someone who knows what a tar is: headers whose checksum fits again, records and maps that are well-formed and lie, members in
 * another order. Random bytes seldom get past the checksum.
 */
import { decodePax, encodePax } from '../../src/layer/pax.js'
import type { Random } from '../support/soak.js'

/** A header with what follows it. */
type Member = Uint8Array

const BLOCK = 512

/** Splits a tar where headers say it goes on; null for what no reader would find its way through. */
export function membersOf(tar: Uint8Array): Member[] | null {
  const members: Member[] = []
  for (let offset = 0; offset < tar.length; ) {
    if (offset + BLOCK > tar.length) return null
    if (tar.subarray(offset, offset + BLOCK).every((byte) => byte === 0)) break
    const size = sizeOf(tar.subarray(offset))
    const end = offset + BLOCK + Math.ceil(size / BLOCK) * BLOCK
    if (!(end <= tar.length + BLOCK)) return null
    members.push(tar.slice(offset, end))
    offset = end
  }
  return members
}

/** A tar of members and an end. */
export function joinMembers(members: readonly Member[]): Uint8Array {
  return Buffer.concat([...members, new Uint8Array(2 * BLOCK)])
}

function sizeOf(member: Member): number {
  const octal = Buffer.from(member.subarray(124, 136))
    .toString('latin1')
    .replace(/[\0 ]+/g, '')
  return /^[0-7]+$/.test(octal) ? Number.parseInt(octal, 8) : 0
}

function isPax(member: Member): boolean {
  return member[156] === 0x78 || member[156] === 0x67
}

const FIELDS: readonly (readonly [offset: number, length: number])[] = [
  [0, 100],
  [100, 8],
  [108, 8],
  [116, 8],
  [124, 12],
  [136, 12],
  [156, 1],
  [157, 100],
  [257, 8],
  [329, 8],
  [337, 8],
  [345, 155],
  [386, 12],
  [398, 12],
  [482, 1],
  [483, 12],
]
const NAMES = ['a', 'b', 'd/a', 'd/', 'd', './d//b', 'd/d/d', '/a', 'n'.repeat(99), '\xff\xfe', '']
const NUMBERS = [
  '0000000\0',
  '00000000001\0',
  ' 644 ',
  '00001000 ',
  '777777777777',
  '\x80\0\0\0\0\0\0\0\0\0\0\x01',
  '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe',
  '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff',
  '9',
  '',
]
const TYPES = '\x000123567SLKxg'
const MAGICS = ['ustar\x0000', 'ustar  \0', '\0\0\0\0\0\0\0\0', 'ustar\0  ']
const RECORDS: readonly (readonly [string, readonly string[]])[] = [
  ['path', ['a', 'd/b', './c', 'long'.repeat(50), '\xc3\xbc', '\xff']],
  ['linkpath', ['a', 'd/a', '/nowhere', 'missing']],
  ['size', ['0', '1', '5', '512', '513', '-1']],
  ['mtime', ['0', '1.5', '-1.5', '1234567890.123456789123', '1e3', '.5']],
  ['uid', ['0', '1000', '-1', '4294967294', 'x']],
  ['hdrcharset', ['BINARY', 'ISO-IR 10646 2000 UTF-8']],
  ['comment', ['', 'x=y', '\n']],
  ['SCHILY.xattr.user.a', ['', 'value', '\0\xff\n=']],
  ['GNU.sparse.major', ['0', '1', '2']],
  ['GNU.sparse.minor', ['0', '1']],
  ['GNU.sparse.size', ['0', '20', '1000', '1024']],
  ['GNU.sparse.realsize', ['0', '20', '1000', '1024']],
  ['GNU.sparse.numblocks', ['0', '1', '2']],
  ['GNU.sparse.name', ['s', 'd/s']],
  ['GNU.sparse.map', ['', '0,20', '0,10,500,10', '0,512,1000,0', '10,0,20,20', '0,512,512,512']],
  ['GNU.sparse.offset', ['0', '512']],
  ['GNU.sparse.numbytes', ['0', '512']],
]

/** The member with another checksum, and padding to whole blocks. */
function sealed(member: Member): Member {
  const copy = Buffer.from(member)
  copy.fill(0x20, 148, 156)
  const sum = copy.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0)
  copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return Buffer.concat([copy, new Uint8Array((BLOCK - (copy.length % BLOCK)) % BLOCK)])
}

function withField(member: Member, random: Random): Member {
  const copy = Buffer.from(member)
  const [offset, length] = random.pick(FIELDS)
  const value =
    offset === 156
      ? random.pick([...TYPES])
      : offset === 257
        ? random.pick(MAGICS)
        : offset === 0 || offset === 157 || offset === 345
          ? random.pick(NAMES)
          : random.pick(NUMBERS)
  copy.fill(0, offset, offset + length)
  copy.write(value.slice(0, length), offset, 'latin1')
  return sealed(copy)
}

function withBody(member: Member, body: Uint8Array): Member {
  const head = Buffer.from(member.subarray(0, BLOCK))
  head.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  return sealed(Buffer.concat([head, body]))
}

function randomRecord(random: Random) {
  const [key, values] = random.pick(RECORDS)
  return { key, value: Buffer.from(random.pick(values), 'latin1') }
}

/** Records changed, added, dropped or in another order. */
function withRecords(member: Member, random: Random): Member {
  let records: ReturnType<typeof randomRecord>[]
  try {
    records = decodePax(member.subarray(BLOCK, BLOCK + sizeOf(member)), 0).map(({ key, value }) => ({ key, value: Buffer.from(value) }))
  } catch {
    return member
  }
  const place = random.below(records.length + 1)
  const what = random.below(4)
  if (what === 0) records.splice(place, 0, randomRecord(random))
  else if (what === 1) records.splice(place, 1)
  else if (what === 2) records.push(...records.splice(0, place))
  else if (records[place] !== undefined) records[place] = { key: records[place].key, value: randomRecord(random).value }
  return withBody(member, encodePax(records))
}

/** Digits of a map in contents or extension blocks, one changed. */
function withDigit(member: Member, random: Random): Member {
  const copy = Buffer.from(member)
  const digits = [...copy.keys()].filter((at) => at >= BLOCK && at < BLOCK + 200 && (copy[at] ?? 0) >= 0x30 && (copy[at] ?? 0) <= 0x39)
  if (digits.length > 0) copy[random.pick(digits)] = 0x30 + random.below(10)
  return copy
}

/** One change to the archive. */
function changed(members: readonly Member[], random: Random): Member[] {
  const copy = [...members]
  const place = random.below(copy.length)
  const member = copy[place]
  if (member === undefined) return copy
  switch (random.below(9)) {
    case 0:
      copy.splice(random.below(copy.length + 1), 0, member)
      break
    case 1:
      copy.splice(place, 1)
      break
    case 2:
      copy.push(...copy.splice(0, place))
      break
    case 3:
      copy.splice(place, 1, withDigit(member, random))
      break
    case 4:
      copy.splice(place, 0, withBody(paxHead(random), encodePax([randomRecord(random), randomRecord(random)])))
      break
    case 5:
      if (!isPax(member)) copy.splice(place, 1, withBody(member, random.bytes(random.pick([0, 1, 511, 512, 513]))))
      break
    case 6:
      copy.splice(place, 1, withField(member, random))
      break
    default:
      copy.splice(place, 1, isPax(member) ? withRecords(member, random) : withField(member, random))
  }
  return copy
}

function paxHead(random: Random): Member {
  const head = Buffer.alloc(BLOCK)
  head.write('pax', 0, 'latin1')
  for (const [offset, digits] of [
    [100, 7],
    [108, 7],
    [116, 7],
    [136, 11],
  ] as const)
    head.write('0'.repeat(digits), offset, 'latin1')
  head.write(random.below(8) === 0 ? 'g' : 'x', 156, 'latin1')
  head.write('ustar\x0000', 257, 'latin1')
  return head
}

/** The archive after one to three changes. */
export function mutateTar(tar: Uint8Array, random: Random): Uint8Array {
  let members = membersOf(tar)
  if (members === null) return tar
  for (let count = 1 + random.below(3); count > 0; count--) members = changed(members, random)
  return joinMembers(members)
}

/** One or two archives of the same kind, one behind the other as if they were one. */
export function spliceTars(left: Uint8Array, right: Uint8Array): Uint8Array {
  return joinMembers([...(membersOf(left) ?? []), ...(membersOf(right) ?? [])])
}
