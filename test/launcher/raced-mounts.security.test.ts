/** Mounts of a plan whose targets lie in a folder that somebody else changes meanwhile, as a volume that two containers share. */
import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { Operation } from '../../src/launcher/operations.js'
import { compileGuest } from '../support/compile-guest.js'
import { type Box, withBox } from '../support/launcher-box.js'
import { BUSYBOX, CC, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/raced-mounts')
const raced = test.needs(NATIVE, BUSYBOX, CC)
const ATTEMPTS = 500

/** How attempts ended: by the errno of a refusal, or `mounted`. */
type Ends = Map<string, number>

/**
 * Runs `operation`, whose target is below /shared/name, again and again while `/shared/name` is by turns a directory of its own and
 * a symlink to `target`, until both have been met. Asserts that what came to be mounted lies in the shared folder.
 */
async function race(box: Box, operation: Operation, target: string, { terminal = false } = {}): Promise<Ends> {
  const shared = join(box.folder, 'shared')
  mkdirSync(join(shared, 'name', 'kernel'), { recursive: true })
  for (const name of ['core_pattern', 'hostname']) writeFileSync(join(shared, 'name', 'kernel', name), 'own')
  symlinkSync(target, join(shared, 'link'))
  const program = join(box.folder, 'exchange')
  await compileGuest('exchange', program)
  const racer = spawn(program, [join(shared, 'name'), join(shared, 'link')], { stdio: ['pipe', 'ignore', 'inherit'] })
  const raceEnded = new Promise<number | null>((resolve) => racer.once('exit', resolve))
  const points = async (mounts: readonly Operation[]) => {
    const { stdout } = await box.run(['cat', '/proc/self/mountinfo'], { mounts, terminal })
    return stdout.split('\n').flatMap((line) => line.split(' ')[4] ?? [])
  }
  const bind: Operation = ['bind', shared, '/shared', 'recursive']
  const ends: Ends = new Map()
  try {
    const without = await points([bind])
    for (let attempt = 0; attempt < ATTEMPTS && (attempt < 30 || ends.size < 2); attempt++) {
      const found = await points([bind, operation]).catch((error: EngineError) => String(error.data.errno))
      const end = typeof found === 'string' ? found : 'mounted'
      ends.set(end, (ends.get(end) ?? 0) + 1)
      if (typeof found === 'string') continue
      const more = found.filter((point) => !without.includes(point) || point.startsWith('/shared/'))
      assert.equal(
        more.filter((point) => !/^\/shared\/(name|link)(\/|$)/.test(point)),
        [],
        `${operation.join(' ')} reached ${found.join(' ')}`,
      )
      assert.is(found.length, without.length + 1, 'one mount more, and on nothing that had one')
    }
  } finally {
    racer.stdin.end()
    assert.is(await raceEnded, 0)
  }
  return ends
}

/** Both ways of the race have been met, and a symlink was answered by `refusal` alone. */
function assertRaced(ends: Ends, refusal: string): void {
  assert.equal([...ends.keys()].sort(), [refusal, 'mounted'].sort(), JSON.stringify([...ends]))
}

for (const name of ['mask', 'read-only'] as const)
  raced(`CVE-2025-31133, CVE-2025-52881: ${name} of a path that is by turns a symlink to /proc/sys covers nothing there`, () =>
    withBox(async (box) => assertRaced(await race(box, [name, '/shared/name/kernel'], '/proc/sys'), 'ELOOP')),
  )

raced('CVE-2025-52565: a console whose path is by turns a symlink to /proc/sys is never bound over a setting', () =>
  withBox(async (box) =>
    assertRaced(await race(box, ['mount-console', '/shared/name/kernel/core_pattern'], '/proc/sys', { terminal: true }), 'ELOOP'),
  ),
)

raced('CVE-2021-30465, CVE-2025-52881: a mount over a path that is by turns a symlink to /proc/sys stays out of it', () =>
  withBox(async (box) => {
    const operation: Operation = ['mount-tmpfs', '/shared/name/kernel', 4096, 8, '0755', '']
    assertRaced(await race(box, operation, '/proc/sys'), 'EXDEV')
  }),
)

test.run()
