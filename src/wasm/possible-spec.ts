import { lstatSync } from 'node:fs'
import { EngineError } from '../errors.js'
import { isHostMount } from '../runtime/sources.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { assertNoPrivileges } from './no-privileges.js'
import { assertNoResources } from './no-resources.js'
import { withoutHeld } from './sandbox-groups.js'

/** Refuses by name what this wall cannot give. Throws NOT_BUILT and INVALID_ARGUMENT. */
export function assertPossible(spec: ContainerSpec): void {
  const { network, mounts, privileges = {}, resources = {}, limits, deterministic, recording, process, wasiEngine } = spec
  assertNoPrivileges(privileges)
  assertNoResources(withoutHeld(resources))
  if (deterministic !== undefined) assertDeterministic({ mounts, process })
  if (wasiEngine === 'wasmer' && (limits.fuel !== undefined || deterministic !== undefined || recording !== undefined))
    throw new EngineError('NOT_BUILT', '--wasi-engine wasmer has neither fuel nor runs that are the same each time', {
      hint: 'Leave --wasi-engine out.',
    })
  if (wasiEngine === 'wasmer' && mounts.length > 0)
    throw new EngineError('NOT_BUILT', `--wasi-engine wasmer: it sees the container's root and no mounts (${mounts[0]?.destination})`, {
      hint: 'Leave --wasi-engine or the mounts out.',
    })
  if (network.mode !== 'none')
    throw new EngineError('NOT_BUILT', `--network ${network.mode}: programs of preview1 have no sockets`, {
      hint: 'Leave --network out for Wasm images.',
    })
  for (const mount of mounts.filter(isHostMount))
    if (lstatSync(mount.source, { throwIfNoEntry: false })?.isDirectory() === false)
      throw new EngineError('NOT_BUILT', `${mount.source} is not a directory, and the Wasm wall binds only directories`, {
        hint: 'Bind the directory that holds it.',
        data: { source: mount.source, destination: mount.destination },
      })
}

/** A deterministic run has nothing of the host's: not what others may change, and no line that ends when somebody types. */
function assertDeterministic({ mounts, process: { terminal } }: Pick<ContainerSpec, 'mounts' | 'process'>): void {
  const foreign = mounts.find((mount) => mount.type !== 'tmpfs')
  if (foreign !== undefined)
    throw new EngineError(
      'INVALID_ARGUMENT',
      `--deterministic: ${foreign.destination} is a mount from outside, which may change from run to run`,
      {
        hint: 'Put the files into the image, give them on stdin, or record the run: --record FILE.',
        data: { destination: foreign.destination },
      },
    )
  if (terminal)
    throw new EngineError('INVALID_ARGUMENT', '--deterministic and --tty: what a terminal gives depends on when somebody types', {
      hint: 'Leave -t out, or record the run: --record FILE.',
    })
}

/** Refuses by name what only a kernel's mount can give. Throws UNSUPPORTED_BY_HOST. */
export function assertPossibleAlone({ mounts }: ContainerSpec): void {
  const shallow = mounts.find((mount) => mount.type === 'bind' && mount.recursive === false)
  if (shallow !== undefined)
    throw new EngineError(
      'UNSUPPORTED_BY_HOST',
      `${shallow.destination}: without a native wall a bind mount shows what is mounted below it`,
      {
        hint: 'Leave bind-recursive out.',
      },
    )
}
