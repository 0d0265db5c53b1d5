/** What a program needed of its walls, from one run: `wolffia learn`. */
import { dirname, normalize } from 'node:path/posix'
import type { Change } from '../fs/file-system.js'
import { ownArchitecture } from '../launcher/installation.js'
import { ARCHITECTURES, ruleFor } from '../launcher/seccomp.js'
import { SYSCALLS, type SyscallName } from '../launcher/syscalls.js'
import { allowedCalls, type DockerProfile, learnedProfile } from '../native/learned-profile.js'
import type { SystemCallReport } from '../runtime/system-calls.js'

/** What came of one run, and of those before whose profile was given. */
export interface LearnedPolicy {
  readonly profile: DockerProfile
  /** Different calls that the profile lets through, some of them with certain arguments alone. */
  readonly allowed: number
  /** The same of wolffia's own filter. */
  readonly allowedUnlearned: number
  /** Flags of `run` for the files: `--read-only`, and what has to be written to all the same. */
  readonly mountFlags: readonly string[]
  /** Paths that no mount can make writable, being in the root itself. */
  readonly inRoot: readonly string[]
}

/** What one run came to. `written` is null where only the guest knows it. Throws INVALID_ARGUMENT for a `before` that `learn` has not written. */
export function learnedPolicy(
  report: SystemCallReport,
  {
    written,
    mounted,
    before,
  }: {
    readonly written: readonly Change[] | null
    /** Where the container had mounts of its own, which stay. */
    readonly mounted: readonly string[]
    readonly before: { readonly source: string; readonly json: string } | null
  },
): LearnedPolicy {
  const profile = learnedProfile(report, before)
  const { flags, inRoot } =
    written === null ? { flags: [], inRoot: [] } : mountPolicy(writtenByGuest(written, mounted), pathsOf(report, mounted))
  return { profile, allowed: allowedCalls(profile), allowedUnlearned: unlearned(), mountFlags: flags, inRoot }
}

function unlearned(): number {
  const architecture = ownArchitecture()
  if (architecture === null) return 0
  return Object.entries(SYSCALLS).filter(([name, numbers]) => {
    const rule = ruleFor(name as SyscallName)
    return numbers[ARCHITECTURES[architecture].column] !== null && (rule === 'allow' || (typeof rule === 'object' && !('errno' in rule)))
  }).length
}

/** Directories whose contents no image is meant to have: an empty tmpfs does in their place. */
const SCRATCH = /^\/(tmp|run|var\/tmp|var\/run|var\/lock)(\/|$)/

/** Without the places of mounts and the directories on the way there, which the wall has made. */
function writtenByGuest(changes: readonly Change[], mounted: readonly string[]): readonly Change[] {
  return changes.filter(({ path }) => !mounted.some((place) => `${place}/`.startsWith(`/${path}/`)))
}

/** What is no file of the root's: nothing has to be mounted for it. */
const NOT_IN_ROOT = /^\/(dev|proc|sys)(\/|$)/

/** Paths that calls meant to write, absolute ones: where others lead is the guest's alone to know. */
function pathsOf({ calls }: SystemCallReport, mounted: readonly string[]): readonly string[] {
  const isMounted = (path: string) => mounted.some((place) => path === place || path.startsWith(`${place}/`))
  return calls
    .flatMap(({ paths }) => Object.values(paths))
    .filter((path) => path.startsWith('/'))
    .map(normalize)
    .filter((path) => !isMounted(path))
}

/**
 * The directories that were there before and that something was written into, the outermost of them only: by what is left in the end, and by
 * what was written to by name, which finds what is gone by then (`/run/nginx.pid`).
 */
function mountPolicy(
  changes: readonly Change[],
  named: readonly string[],
): { readonly flags: readonly string[]; readonly inRoot: readonly string[] } {
  const written = changes.map(({ path, kind }) => ({ path: `/${Buffer.from(path, 'latin1').toString('utf8')}`, kind }))
  const made = new Set(written.filter(({ kind }) => kind === 'added').map(({ path }) => path))
  // A directory counts as modified for what was made in it, which is told by that.
  const parents = new Set(written.map(({ path }) => dirname(path)))
  const left = written.filter(({ path, kind }) => !(kind === 'modified' && parents.has(path))).map(({ path }) => path)
  const folders = new Set<string>()
  const inRoot = new Set<string>()
  for (const path of [...left, ...named].filter((name) => !made.has(dirname(name)) && !NOT_IN_ROOT.test(name))) {
    const scratch = SCRATCH.exec(path)?.[1]
    if (scratch !== undefined) folders.add(`/${scratch}`)
    else if (dirname(path) === '/') inRoot.add(path)
    else folders.add(dirname(path))
  }
  const outermost = [...folders].filter((folder) => ![...folders].some((other) => folder.startsWith(`${other}/`))).sort()
  const flags = outermost.map((folder) => (SCRATCH.test(folder) ? `--tmpfs=${folder}` : `--volume=${volumeName(folder)}:${folder}`))
  return { flags: ['--read-only', ...flags], inRoot: [...inRoot] }
}

/** A volume has what the image has there, and keeps what is written. */
function volumeName(folder: string): string {
  return folder.replaceAll(/[^a-zA-Z0-9_.-]/g, '-').replace(/^[^a-zA-Z0-9]+/, '')
}
