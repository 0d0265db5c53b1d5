import { EngineError } from '../errors.js'

/** Whom a process runs as, and where that user is at home. */
export interface ResolvedUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  /** Those of them that were named, and not found in the image. */
  readonly namedGids: readonly number[]
  readonly home: string
}

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** Largest id docker takes: ids are signed there. */
const MAXIMUM_ID = 2 ** 31 - 1

/**
 * Resolves `name|uid[:group|gid]` by the image's own files, as docker does: a number needs no entry, a name does; membership in
 * further groups counts only when no group is named. `more` are groups besides.
 */
export function resolveUser(
  wanted: string,
  files: { readonly passwd: string; readonly group: string },
  more: readonly string[] = [],
): ResolvedUser {
  const [userName = '', groupName] = splitOnce(wanted, ':')
  const users = parsePasswd(files.passwd)
  const groups = parseGroup(files.group)
  const added = more.map((group) => findGroup(group, groups))
  const entry = findUser(userName === '' ? '0' : userName, users)
  if (groupName !== undefined && groupName !== '') {
    return { uid: entry.uid, gid: findGroup(groupName, groups), additionalGids: [...new Set(added)], namedGids: added, home: entry.home }
  }
  const additionalGids = groups.filter((group) => entry.name !== '' && group.members.includes(entry.name)).map((group) => group.gid)
  return { uid: entry.uid, gid: entry.gid, additionalGids: [...new Set([...additionalGids, ...added])], namedGids: added, home: entry.home }
}

function findUser(wanted: string, users: readonly PasswdEntry[]): PasswdEntry {
  const byName = users.find((user) => user.name === wanted)
  if (byName !== undefined) return byName
  const uid = idOf(wanted)
  if (uid === null) throw notFound('user', wanted, 'passwd')
  return users.find((user) => user.uid === uid) ?? { name: '', uid, gid: 0, home: '/' }
}

function findGroup(wanted: string, groups: readonly GroupEntry[]): number {
  const gid = groups.find((group) => group.name === wanted)?.gid ?? idOf(wanted)
  if (gid === null) throw notFound('group', wanted, 'group')
  return gid
}

function notFound(kind: 'user' | 'group', wanted: string, file: string): EngineError {
  return new EngineError('INVALID_ARGUMENT', `unable to find ${kind} ${wanted}: no matching entry in the image's /etc/${file}`, {
    data: { [kind]: wanted },
    hint: `Give a number instead, or a name from the image's /etc/${file}.`,
  })
}

function idOf(text: string): number | null {
  if (!/^\d+$/.test(text)) return null
  const id = Number(text)
  if (id > MAXIMUM_ID) throw new EngineError('INVALID_ARGUMENT', `user and group ids go up to ${MAXIMUM_ID}: ${text}`)
  return id
}

function parsePasswd(text: string): readonly PasswdEntry[] {
  return linesOf(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    /^\d+$/.test(uid) && /^\d+$/.test(gid) && Number(uid) <= MAXIMUM_ID && Number(gid) <= MAXIMUM_ID
      ? [{ name, uid: Number(uid), gid: Number(gid), home: home.startsWith('/') ? home : '/' }]
      : [],
  )
}

function parseGroup(text: string): readonly GroupEntry[] {
  return linesOf(text).flatMap(([name = '', , gid = '', members = '']) =>
    /^\d+$/.test(gid) && Number(gid) <= MAXIMUM_ID
      ? [{ name, gid: Number(gid), members: members.split(',').map((member) => member.trim()) }]
      : [],
  )
}

function linesOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}
