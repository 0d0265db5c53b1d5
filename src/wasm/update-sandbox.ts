import { EngineError } from '../errors.js'
import { assertLimits, type Limits } from '../runtime/limits.js'
import { groupOperations, ownGroups } from '../runtime/make-groups.js'
import { readGuest } from '../runtime/running-task.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { assertUpdatable, updateGroups } from '../runtime/update-groups.js'
import { pidOf } from '../store/process-identity.js'
import { assertNoResources } from './no-resources.js'
import { assertSandboxGroups, sandboxDelegation, sandboxGroups, wasmLimitWays, withoutHeld } from './sandbox-groups.js'

/**
 * Gives a sandbox that runs the limits of its control groups anew; of one that does not run, only looks whether it could have them. Throws
 * CONFLICT for what is part of a running program, and as a start does for what this wall or host cannot hold.
 */
export function updateSandbox(folder: string, before: ContainerSpec, after: ContainerSpec): void {
  const running = readGuest(folder)
  const delegated = running === null ? sandboxDelegation(after) : ownGroups(pidOf(running.init))
  assertLimits(after.limits, 'wasm', wasmLimitWays(delegated))
  assertNoResources(withoutHeld(after.resources ?? {}))
  if (running !== null) assertSameParts(before.limits, after.limits)
  assertSandboxGroups(after, delegated)
  const wanted = sandboxGroups(after, delegated)
  if (running === null) {
    // Values are looked at as those of groups that will be made.
    groupOperations('update', wanted, delegated)
    return
  }
  const had = sandboxGroups(before, delegated)
  assertUpdatable(had, wanted)
  updateGroups(had, wanted, delegated)
}

/** Refuses for a running guest what is a part of it since it was started. Throws CONFLICT. */
function assertSameParts({ cpus: _before, ...before }: Limits, { cpus: _after, ...after }: Limits): void {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof typeof before>
  if ([...keys].every((key) => before[key] === after[key])) return
  throw new EngineError('CONFLICT', 'the limits of a Wasm program, but --cpus, are made part of it when it is started', {
    hint: 'Stop the container, update it, and start it again.',
  })
}
