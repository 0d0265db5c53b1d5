/** What lies in the home that should not: left by processes that are gone, put there by others, or open to them. */
import { chmodSync, copyFileSync, lstatSync, readdirSync, renameSync, rmdirSync, rmSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { type Flaw, flaw, foreign, leftover } from './flaw.js'
import { folderNames } from './folder-names.js'
import { leftIngests } from './ingest.js'
import { deadClaims } from './lock.js'
import { kindOf } from './plain-file.js'
import { IDENTITY_PATTERN, mayBeAlive } from './process-identity.js'
import { OWN_NAMES } from './store.js'

/** Of the home and what is in it: how deep it is wolffia's alone to say who may enter. What is below may be a guest's. */
const PRIVATE_FOLDERS: readonly string[] = [
  'blobs',
  'blobs/sha256',
  'layers',
  'trees',
  'packed',
  'containers',
  'volumes',
  'ingest',
  'locks',
  'holder',
]
/** Written beside a file that is being replaced; the first is the lock holder's, the others carry the pid of their writer. */
const UNFINISHED = /^(?:index\.json\.new|(?:oci-layout|index\.json)\.(\d+)\.\d+\.new)$/
const PROBE = new RegExp(`^wolffia-probe-(${IDENTITY_PATTERN})-`)

/** Folders others can enter or their owner cannot, and files that are another user's. While these stand nothing else may be readable. */
export function checkPermissions(root: string): readonly Flaw[] {
  const folders = [...PRIVATE_FOLDERS, ...['layers', 'containers', 'trees'].flatMap((name) => foldersIn(root, name))]
  const files = ['oci-layout', 'index.json', ...folderNames(join(root, 'blobs/sha256')).map((name) => join('blobs/sha256', name))]
  return [...folders.flatMap((path) => folderFlaws(root, path)), ...files.flatMap((path) => fileFlaws(root, path))]
}

function folderFlaws(root: string, path: string): readonly Flaw[] {
  const stat = lstatSync(join(root, path), { throwIfNoEntry: false })
  if (stat === undefined) return []
  if (!stat.isDirectory())
    return [flaw('foreign', path, `is a ${kindOf(stat)}, where a folder must be`, { remedy: `Move it away: mv ${root}/${path} ELSEWHERE` })]
  if (!isOurs(stat))
    return [flaw('permissions', path, belongsToAnother(stat), { remedy: `As root: chown ${process.geteuid?.()} ${root}/${path}` })]
  const mode = stat.mode & 0o777
  if (mode === 0o700) return []
  const problem = (mode & 0o077) === 0 ? 'is closed to its own owner' : 'is open to others'
  return [
    flaw('permissions', path, `${problem} (mode ${mode.toString(8).padStart(4, '0')})`, {
      repair: async () => chmodSync(join(root, path), 0o700),
    }),
  ]
}

function fileFlaws(root: string, path: string): readonly Flaw[] {
  const stat = lstatSync(join(root, path), { throwIfNoEntry: false })
  if (stat === undefined || !stat.isFile()) return []
  if (!isOurs(stat)) return [flaw('permissions', path, belongsToAnother(stat), { repair: () => takeOver(join(root, path)) })]
  if ((stat.mode & 0o400) !== 0) return []
  return [
    flaw('permissions', path, `cannot be read by its own owner (mode ${(stat.mode & 0o777).toString(8).padStart(4, '0')})`, {
      repair: async () => chmodSync(join(root, path), 0o400),
    }),
  ]
}

function isOurs({ uid }: Stats): boolean {
  return uid === process.geteuid?.()
}

function belongsToAnother({ uid }: Stats): string {
  return `belongs to another user (uid ${uid}), who could change it`
}

/** Puts a copy of our own in the place of another user's file. What is in it is for others to judge. */
async function takeOver(path: string): Promise<void> {
  const copy = `${path}.${process.pid}.new`
  try {
    copyFileSync(path, copy)
    chmodSync(copy, 0o600)
    renameSync(copy, path)
  } finally {
    rmSync(copy, { force: true })
  }
}

/** Unfinished work of processes that are gone, and what is none of wolffia's. */
export function checkLeftovers(root: string): readonly Flaw[] {
  return [...atTop(root), ...inBlobs(root), ...inIngest(root), ...inLocks(root), ...OTHER_LOCKS.flatMap((path) => inLock(root, path))]
}

function atTop(root: string): readonly Flaw[] {
  return readdirSync(root).flatMap((name) => {
    if (OWN_NAMES.includes(name)) return []
    const unfinished = UNFINISHED.exec(name)
    const probe = PROBE.exec(name)?.[1]
    if (unfinished === null && probe === undefined) return [foreign(root, name)]
    if (probe === undefined ? isRunning(unfinished?.[1]) : mayBeAlive(probe)) return []
    return [leftover(root, name)]
  })
}

function isRunning(pid: string | undefined): boolean {
  return pid !== undefined && lstatSync(`/proc/${pid}`, { throwIfNoEntry: false }) !== undefined
}

function inBlobs(root: string): readonly Flaw[] {
  const folders = folderNames(join(root, 'blobs')).filter((name) => name !== 'sha256')
  const blobs = folderNames(join(root, 'blobs/sha256')).filter((name) => !/^[0-9a-f]{64}$/.test(name))
  const notes = folderNames(join(root, 'packed')).filter((name) => !/^[0-9a-f]{64}$/.test(name))
  return [
    ...folders.map((name) => foreign(root, join('blobs', name))),
    ...blobs.map((name) => foreign(root, join('blobs/sha256', name))),
    ...notes.map((name) => foreign(root, join('packed', name))),
  ]
}

function inIngest(root: string): readonly Flaw[] {
  const { dead, strange } = leftIngests(folderNames(join(root, 'ingest')))
  return [...dead.map((name) => leftover(root, join('ingest', name))), ...strange.map((name) => foreign(root, join('ingest', name)))]
}

/** Locks that lie beside what they are for. */
const OTHER_LOCKS: readonly string[] = ['holder/lock', 'trees/probe.lock']

function inLock(root: string, path: string): readonly Flaw[] {
  return deadClaims(folderNames(join(root, path))).dead.map((claim) => leftover(root, join(path, claim)))
}

/** What the dead hold nobody waits for; the folder of a container's lock goes with the container. */
function inLocks(root: string): readonly Flaw[] {
  return folderNames(join(root, 'locks')).flatMap((name) => {
    const path = join('locks', name)
    const { dead, strange, alive } = deadClaims(folderNames(join(root, path)))
    const flaws = [...dead.map((claim) => leftover(root, join(path, claim))), ...strange.map((file) => foreign(root, join(path, file)))]
    const container = /^container-([0-9a-f]{64})$/.exec(name)?.[1]
    const isOrphan = container !== undefined && lstatSync(join(root, 'containers', container), { throwIfNoEntry: false }) === undefined
    if (!isOrphan || alive > 0 || strange.length > 0) return flaws
    const repair = async () => {
      for (const claim of dead) rmSync(join(root, path, claim), { force: true })
      rmdirSync(join(root, path))
    }
    return [...flaws, flaw('leftover', path, 'is the lock of a container that is gone', { repair })]
  })
}

function foldersIn(root: string, path: string): readonly string[] {
  return folderNames(join(root, path))
    .map((name) => join(path, name))
    .filter((below) => lstatSync(join(root, below), { throwIfNoEntry: false })?.isDirectory())
}
