/** What the kernel holds for each program of a container by itself: setrlimit(2), and whom it ends when memory is short. */
import { readFileSync } from 'node:fs'
import { EngineError } from '../errors.js'
import type { Operation } from '../launcher/operations.js'
import { ownHardLimits } from './process-files.js'
import { type ResourceSpec, ULIMITS, type Ulimit, type UlimitName } from './resources.js'
import type { ContainerSpec } from './spec.js'

/** Without a memory cgroup the kernel should look at a guest before the user's other programs. */
export const OOM_SCORE_ADJUST = 500

/** `host` has the hard limits of this process, -1 when unlimited: no child may have more. Pure. */
export function boundOperations(
  { limits, resources: { ulimits = {}, oomScoreAdjust = OOM_SCORE_ADJUST } = {} }: Pick<ContainerSpec, 'limits' | 'resources'>,
  host: { readonly openFiles: number; readonly processes: number },
): Operation[] {
  const { nproc, nofile, core, ...others } = ulimits
  const counted = (name: UlimitName, asked: Ulimit | undefined, limit: number | undefined, hard: number): Operation[] => {
    if (limit === undefined) return []
    const most = hard < 0 ? limit : Math.min(limit, hard)
    return [['rlimit', name, Math.min(asked?.soft ?? most, most), most]]
  }
  return [
    ...counted('nproc', nproc, limits.pids, host.processes),
    ...counted('nofile', nofile, limits.openFiles, host.openFiles),
    // One byte, not none: the host's core_pattern program ignores 0 and would be run on a guest's memory (core(5)).
    core === undefined || core.hard === 0 ? ['rlimit', 'core', 1, 1] : ulimitOperation('core', core),
    ...(Object.entries(others) as [UlimitName, Ulimit][]).map(([name, ulimit]) => ulimitOperation(name, ulimit)),
    ['umask', '0022'],
    ['oom-score-adjust', oomScoreAdjust],
  ]
}

function ulimitOperation(name: UlimitName, { soft, hard }: Ulimit): Operation {
  const written = (value: number) => (value === -1 ? 'unlimited' : value)
  return ['rlimit', name, written(soft), written(hard)]
}

/** What of this a host can deny. */
export interface BoundCircumstances {
  /** Hard limits of this process, by their names in /proc/self/limits; -1 for unlimited. */
  readonly hard: Readonly<Record<string, number>>
  readonly oomScoreAdjust: number
  /** /proc/sys/kernel/core_pattern */
  readonly corePattern: string
}

/** What this host is like. Read when it is asked for: it may change. */
export function boundCircumstances(): BoundCircumstances {
  return {
    hard: ownHardLimits(),
    oomScoreAdjust: Number(readFileSync('/proc/self/oom_score_adj', 'latin1')),
    corePattern: readFileSync('/proc/sys/kernel/core_pattern', 'latin1'),
  }
}

/** Refuses what the kernel would let no child of this process have. Throws UNSUPPORTED_BY_HOST with what would enable it. */
export function assertBounds({ ulimits = {}, oomScoreAdjust }: ResourceSpec, host: BoundCircumstances): void {
  for (const [name, { hard }] of Object.entries(ulimits) as [UlimitName, Ulimit][]) {
    const most = host.hard[ULIMITS[name]] ?? -1
    if (most !== -1 && (hard === -1 || hard > most))
      throw unsupported(
        `--ulimit ${name}=${hard === -1 ? 'unlimited' : hard} is more than your own hard limit of ${most}`,
        `Ask for ${most} at most, or have root raise yours: /etc/security/limits.conf, or prlimit --${name} for the shell.`,
      )
  }
  if ((ulimits.core?.hard ?? 0) !== 0 && host.corePattern.startsWith('|'))
    throw unsupported(
      '--ulimit core: this host gives the memory of what crashes to a program of its own, as root',
      'It takes a /proc/sys/kernel/core_pattern that is a file name: sysctl kernel.core_pattern=core.',
    )
  if (oomScoreAdjust !== undefined && oomScoreAdjust < host.oomScoreAdjust)
    throw unsupported(
      `--oom-score-adj ${oomScoreAdjust} is less than your own of ${host.oomScoreAdjust}, which only root can have`,
      `Ask for ${host.oomScoreAdjust} at least.`,
    )
}

function unsupported(message: string, hint: string): EngineError {
  return new EngineError('UNSUPPORTED_BY_HOST', message, { hint })
}
