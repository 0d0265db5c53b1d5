/** What a guest that may trace (`--cap-add SYS_PTRACE`, `--privileged`) may not do to the launcher's processes in its container. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { singleIdMap } from '../../src/launcher/id-map.js'
import type { Task } from '../../src/runtime/runtime.js'
import type { PrivilegeSpec } from '../../src/runtime/spec.js'
import { compileGuest } from '../support/compile-guest.js'
import { ID_MAPS } from '../support/id-maps.js'
import { type NativeWall, withNativeWall } from '../support/native-wall.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { containerSpec, PRIVILEGED } from '../support/specs.js'
import { busyboxEntries, packFile, storedRootfs, storeLayer } from '../support/stored-layers.js'
import { suite } from '../support/suite.js'

const test = suite('native/tracing')

/** Programs that join the container, which the guest looks into. */
const JOINING = 3

interface Attacked {
  readonly wall: NativeWall
  readonly directory: string
  readonly privileges: PrivilegeSpec
}

/** Lines that test/fixtures/tracer.c prints; `meanwhile` happens in the container while it runs. */
async function trace(
  args: readonly string[],
  privileges: PrivilegeSpec,
  map = singleIdMap(),
  meanwhile: (attacked: Attacked) => Promise<void> = async () => {},
): Promise<readonly string[]> {
  let lines: readonly string[] = []
  await withNativeWall(
    async (wall) => {
      const program = join(wall.folder, 'tracer')
      await compileGuest('tracer', program)
      const rootfs = storedRootfs([
        storeLayer(wall.folder, [...busyboxEntries(), packFile('guest', readFileSync(program), { mode: 0o755 })]),
      ])
      const directory = join(wall.folder, 'container')
      mkdirSync(directory)
      const spec = containerSpec({ privileges, process: { args: ['/guest', ...args] } })
      const task = await wall.runtime.create({ id: 'tracer', directory, spec, rootfs, openStdin: false })
      try {
        const output = text(task.stdout)
        await task.start()
        await meanwhile({ wall, directory, privileges })
        assert.is((await task.wait()).exitCode, 0)
        lines = (await output).trimEnd().split('\n')
      } finally {
        await task.delete()
        await wall.runtime.discard('', directory)
      }
    },
    { idMap: map },
  )
  return lines
}

async function joinOnce({ wall, directory, privileges }: Attacked): Promise<void> {
  const spec = containerSpec({ privileges })
  const process = { ...spec.process, args: ['/bin/busybox', 'true'] }
  const task: Task = await wall.runtime.exec({ id: 'joined', directory, spec, process, openStdin: false, outlives: false, endRecord: null })
  try {
    const output = Promise.all([text(task.stdout), text(task.stderr ?? task.stdout)])
    await task.start()
    await task.wait()
    await output
  } finally {
    await task.delete()
  }
}

/** Until the guest has seen enough of them and ends: on a busy machine it misses some. */
async function joinOften(attacked: Attacked): Promise<void> {
  for (let count = 0; count < 10 * JOINING; count++)
    try {
      await joinOnce(attacked)
    } catch (error) {
      if (error instanceof EngineError && error.code === 'CONFLICT') return
      throw error
    }
}

for (const { name, map, needs } of ID_MAPS) {
  const native = test.needs(NATIVE, BUSYBOX, CC, ...needs)

  native(
    `a guest that may trace finds no descriptor of the host's in a program that joins, and none without its filter, under ${name}`,
    async () => {
      for (const privileges of [{}, { capAdd: ['SYS_PTRACE'] }, PRIVILEGED] as const) {
        const lines = await trace(['watch', String(JOINING)], privileges, map(), joinOften)
        assert.is(lines.filter((line) => line.startsWith('seen ')).length, JOINING, lines.join('\n'))
        assert.equal(
          lines.filter((line) => line.startsWith('descriptor ') && line !== 'descriptor /dev/null'),
          [],
        )
        if (privileges !== PRIVILEGED) assert.not(lines.includes('traced without a filter'))
      }
    },
  )

  native(`a guest that may trace has init make no call that its own filter refuses, under ${name}`, async () => {
    assert.equal(await trace([], { capAdd: ['SYS_PTRACE'] }, map()), ['init unshare EPERM'])
    assert.equal(await trace([], {}, map()), ['init EPERM'])
  })
}

test.run()
