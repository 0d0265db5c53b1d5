import { readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { type ProcessIdentity, pidOf, startOf } from '../store/process-identity.js'
import type { Operation } from './operations.js'

/** One extent: `count` ids from `inside` on in the container are those from `outside` on on the host. */
export interface IdExtent {
  readonly inside: number
  readonly outside: number
  readonly count: number
  /** What `outside` is in the user namespace of a holder, where it differs from `inside`. */
  readonly holders?: number
}

/** A process that has been given a range of ids, and keeps memory for layers (`launcher/holder`). */
export interface LivingHolder {
  readonly identity: ProcessIdentity
  readonly folder: string
  /** Its socket in the folder. */
  readonly name: string
  /** Key of the map that it was given. */
  readonly idMapKey: string
  /** Bytes that its memory may hold. */
  readonly memoryBytes: number
}

/** Whoever knows the holder that lives, if any does. */
export interface HolderSource {
  living(): LivingHolder | null
}

/** Which ids of the host a container's ids are. */
export interface IdMap {
  /** `single`: only the user's own id, as 0; needs nothing. `range`: subordinate ids too, through newuidmap and newgidmap. */
  readonly kind: 'single' | 'range'
  /** Name of the folder for trees unpacked under this map: files on disk carry the map's numbers. */
  readonly key: string
  readonly uids: readonly IdExtent[]
  readonly gids: readonly IdExtent[]
  /** Paths of newuidmap and newgidmap; null for a single id. */
  readonly helpers: { readonly newuidmap: string; readonly newgidmap: string } | null
  /** Who has been given the range already, so that what it has started asks no helper; nobody when absent. */
  readonly holder?: HolderSource | null
  /** The same ids of the host as a container usually has them, of a map that numbers them otherwise. */
  readonly usual?: IdMap
}

/** What the user's own ids are to be in a container. */
export interface KeptIds {
  readonly uid: number
  readonly gid: number
}

/**
 * The same ids of the host in another order: the user's own are `kept` inside, and the others of the range fill up what is left from 0 on, as podman's
 * `--userns keep-id` has it. Of a single id it is the one that there is.
 */
export function keptIdMap(usual: IdMap, kept: KeptIds): IdMap {
  return {
    ...usual,
    key: `${usual.key}${KEPT}${kept.uid}-${kept.gid}`,
    uids: keptExtents(usual.uids, kept.uid),
    gids: keptExtents(usual.gids, kept.gid),
    usual,
  }
}

/** The map of a container whose user's ids are `kept`; the usual one where none are. */
export function idMapFor(usual: IdMap, kept: KeptIds | undefined): IdMap {
  return kept === undefined ? usual : keptIdMap(usual, kept)
}

const KEPT = '-keep-'

/** What `kept` was of the map with this key, made over the usual one; null for any other key. */
export function keptIdsOf(usual: IdMap, key: string): KeptIds | null {
  if (!key.startsWith(`${usual.key}${KEPT}`)) return null
  const [, uid, gid] = /^(\d+)-(\d+)$/.exec(key.slice(usual.key.length + KEPT.length)) ?? []
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) }
}

/** The first of the usual extents is the user's own id, and the second, if there is one, the range. */
function keptExtents([own, range]: readonly IdExtent[], kept: number): readonly IdExtent[] {
  if (own === undefined) return []
  const mine: IdExtent = { inside: kept, outside: own.outside, count: 1, holders: own.inside }
  if (range === undefined) return [mine]
  const below = Math.min(kept, range.count)
  return [
    { inside: 0, outside: range.outside, count: below, holders: range.inside },
    mine,
    { inside: kept + 1, outside: range.outside + below, count: range.count - below, holders: range.inside + below },
  ].filter(({ count }) => count > 0)
}

/** The user's own id as root and nothing else: works wherever user namespaces do. */
export function singleIdMap(): IdMap {
  const { uid, gid } = ownIds()
  return {
    kind: 'single',
    key: `single-${uid}-${gid}`,
    uids: [{ inside: 0, outside: uid, count: 1 }],
    gids: [{ inside: 0, outside: gid, count: 1 }],
    helpers: null,
  }
}

/** What an id range lacks. */
export type RangeLack = 'helpers' | 'ranges'

/** Why a map is what it is. */
export interface IdMapChoice {
  readonly map: IdMap
  /** Why it is not a range, as a sentence with the way out; null when it is. */
  readonly reason: string | null
  /** What a range lacks; null when it is one. */
  readonly lack: RangeLack | null
}

/** The widest map this user may have, `holder`'s where there is one: the range of /etc/subuid and /etc/subgid when both and both helpers are there, else a single id. */
export function chooseIdMap(holder: HolderSource | null = null): IdMapChoice {
  const single = (lack: RangeLack, reason: string): IdMapChoice => ({ map: singleIdMap(), reason, lack })
  const { uid, gid, name } = ownIds()
  const newuidmap = findHelper('newuidmap')
  const newgidmap = findHelper('newgidmap')
  if (newuidmap === null || newgidmap === null)
    return single('helpers', 'newuidmap or newgidmap is not installed; the package is called uidmap or shadow-utils')
  const uids = subordinateRange('/etc/subuid', name, uid)
  const gids = subordinateRange('/etc/subgid', name, uid)
  if (uids === null)
    return single('ranges', `/etc/subuid has no range for ${name}; as root: usermod --add-subuids ${freeRange('/etc/subuid')} ${name}`)
  if (gids === null)
    return single('ranges', `/etc/subgid has no range for ${name}; as root: usermod --add-subgids ${freeRange('/etc/subgid')} ${name}`)
  return {
    map: {
      kind: 'range',
      key: `range-${uid}-${uids.start}-${uids.count}-${gid}-${gids.start}-${gids.count}`,
      uids: [
        { inside: 0, outside: uid, count: 1 },
        { inside: 1, outside: uids.start, count: uids.count },
      ],
      gids: [
        { inside: 0, outside: gid, count: 1 },
        { inside: 1, outside: gids.start, count: gids.count },
      ],
      helpers: { newuidmap, newgidmap },
      holder,
    },
    reason: null,
    lack: null,
  }
}

/** Whether `id` exists in a container under these extents. */
export function isMapped(extents: readonly IdExtent[], id: number): boolean {
  return extents.some(({ inside, count }) => id >= inside && id < inside + count)
}

/**
 * The operations that make a user namespace with this map: by the helpers, unless a holder lives. `memory` is the holder whose memory the plan
 * uses (`holder-memory`), without which it must fail.
 */
export function idMapOperations(map: IdMap, memory: LivingHolder | null = null): Operation[] {
  const holder = memory ?? livingHolder(map)
  return [
    ...(holder === null ? [] : [holderOperation(holder, memory === null ? 'ids' : 'memory')]),
    ['namespace', 'user'],
    ...map.uids.map(({ inside, outside, holders = inside, count }): Operation => ['uid-map', inside, outside, holders, count]),
    ...map.gids.map(({ inside, outside, holders = inside, count }): Operation => ['gid-map', inside, outside, holders, count]),
    ...(map.helpers === null ? [] : [['id-map-helper', map.helpers.newuidmap, map.helpers.newgidmap] as const]),
  ]
}

/** The holder that gives this map's ids; null for a single id, which nobody has to give, and for one that was given others. */
export function livingHolder({ helpers, holder, key, usual }: IdMap): LivingHolder | null {
  const living = helpers === null ? null : (holder?.living() ?? null)
  return living?.idMapKey === (usual?.key ?? key) ? living : null
}

function holderOperation({ folder, name, identity }: LivingHolder, wanted: 'ids' | 'memory'): Operation {
  return ['holder', folder, name, pidOf(identity), startOf(identity), wanted]
}

const RANGE = 65_536
/** As shadow's SUB_UID_MIN. */
const FIRST = 100_000

/** A range above all those of a subuid(5) file, as usermod takes it: two users with the same ids could each enter what is the other's. */
export function freeRange(path: string): string {
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // Without the file nobody has one.
  }
  const ends = [...text.matchAll(/^[^:\n]*:(\d+):(\d+)\s*$/gm)].map(([, start, count]) => Number(start) + Number(count))
  const start = Math.max(FIRST, ...ends)
  return `${start}-${start + RANGE - 1}`
}

/** The largest range of a subuid(5) file for a user, who may stand in it by name or by number; null when there is none. */
export function subordinateRange(path: string, name: string, uid: number): { start: number; count: number } | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return null
  }
  let best: { start: number; count: number } | null = null
  for (const line of text.split('\n')) {
    const [owner, start, count] = line.split(':')
    if ((owner !== name && owner !== String(uid)) || !/^\d+$/.test(start ?? '') || !/^\d+\s*$/.test(count ?? '')) continue
    const range = { start: Number(start), count: Number(count) }
    if (range.count > 0 && range.count > (best?.count ?? 0)) best = range
  }
  return best
}

function findHelper(name: string): string | null {
  // Fixed places, not PATH: these are setuid programs, and PATH is whoever called us.
  for (const folder of ['/usr/bin', '/bin', '/usr/local/bin', '/run/wrappers/bin']) {
    const path = join(folder, name)
    if (statSync(path, { throwIfNoEntry: false })?.isFile()) return path
  }
  return null
}

/** Who this process is; by number where it has no name. */
export function ownIds(): { uid: number; gid: number; name: string } {
  const uid = process.geteuid?.() ?? 0
  const gid = process.getegid?.() ?? 0
  try {
    return { uid, gid, name: userInfo().username }
  } catch {
    // No entry in /etc/passwd: subuid(5) may still name the number.
    return { uid, gid, name: String(uid) }
  }
}
