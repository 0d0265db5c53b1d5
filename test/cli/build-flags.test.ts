import { Command } from 'commander'
import * as assert from 'uvu/assert'
import { command } from '../../src/cli/commands/build.js'
import { addNotBuilt, NOT_BUILT_BUILD_FLAGS } from '../../src/cli/not-built.js'
import { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'

const test = suite('cli/build-flags')

/** Flags of docker build (28.2), the classic builder's and buildx's. */
const DOCKER_BUILD_FLAGS =
  `add-host allow annotation attest build-arg build-context builder cache-from cache-to call cgroup-parent check compress
  cpu-period cpu-quota cpu-shares cpuset-cpus cpuset-mems disable-content-trust file force-rm iidfile isolation label load memory memory-swap
  metadata-file network no-cache no-cache-filter output platform progress provenance pull push quiet rm sbom secret security-opt shm-size
  squash ssh tag target ulimit`.split(/\s+/)

function parser(): Command {
  const made = new Command()
    .exitOverride()
    .allowExcessArguments()
    .configureOutput({ writeErr: () => {} })
  command.configure(made)
  addNotBuilt(made, NOT_BUILT_BUILD_FLAGS)
  return made
}

test('every flag of docker build is built or fails by its name with the way out', () => {
  const longs = parser().options.map(({ long }) => long)
  for (const flag of DOCKER_BUILD_FLAGS) assert.ok(longs.includes(`--${flag}`), flag)
  assert.is(new Set(longs).size, longs.length, 'none is both')
  for (const [flags, wayOut] of NOT_BUILT_BUILD_FLAGS) {
    const flag = /--[a-z0-9-]+/.exec(flags)?.[0] ?? ''
    assert.throws(
      () => parser().parse([flag, ...(flags.includes('<') ? ['x'] : []), '.'], { from: 'user' }),
      (error: unknown) => error instanceof EngineError && error.code === 'NOT_BUILT' && error.hint === wayOut,
      flag,
    )
  }
})

test.run()
