/** A plan whose supervision comes later: until `begin` nothing of the container is anybody's. */
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { LauncherProcess } from '../../src/launcher/client.js'
import type { Operation } from '../../src/launcher/operations.js'
import { encodePlan } from '../../src/launcher/protocol.js'
import { type Box, eventually, withBox as withOpenBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/begin')
const native = test.needs(NATIVE, BUSYBOX)

const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY
/** The guest's 3 is a file without a name, its 4 a socket that listens nowhere. */
const LATER: readonly Operation[] = [
  ['keep-descriptor', 6, 3],
  ['begin-later', 7],
  ['unbound-socket', 8],
  ['keep-descriptor', 8, 4],
]

const launched = new Set<LauncherProcess>()

/** A failed test leaves nothing that would be waited for. */
const withBox = (body: (box: Box) => Promise<void>) =>
  withOpenBox(body).finally(() => {
    for (const launcher of launched) launcher.kill()
    launched.clear()
  })

async function running(box: Box, script: string): Promise<LauncherProcess> {
  const file = openSync(box.folder, O_TMPFILE | constants.O_RDWR, 0o600)
  try {
    const launcher = box.launch(['sh', '-c', script], { supervision: LATER, launch: { descriptors: [file, 'pipe'] } })
    launched.add(launcher)
    launcher.stdout?.resume()
    launcher.stderr?.resume()
    await launcher.ready
    await launcher.go()
    return launcher
  } finally {
    closeSync(file)
  }
}

function begin(launcher: LauncherProcess, operations: readonly Operation[]): Promise<void> {
  const further = launcher.streams[1] as Duplex
  further.end(encodePlan({ operations, exec: null }))
  return launcher.begin()
}

const listing = (box: Box) => readdirSync(box.folder).sort()

native('what has not begun has no file, no socket and no end on disk, also when it is killed', () =>
  withBox(async (box) => {
    const before = listing(box)
    const launcher = await running(box, 'echo written >&3; sleep 1000')
    assert.equal(listing(box), before)
    launcher.kill()
    assert.is((await launcher.exited).duration_ns, 0)
    assert.equal(listing(box), before)
  }),
)

native('what begins has its log, its callers, its file, its socket and its end from then on', () =>
  withBox(async (box) => {
    const launcher = await running(box, 'echo written >&3; while [ ! -e /go ]; do echo line; sleep 0.05; done')
    const path = (name: string) => join(box.folder, name)
    await begin(launcher, [
      ['listen', box.folder],
      ['log', path('log'), 0, 1],
      ['end-record', path('end.json')],
      ['journal', path('journal'), 'word'],
      ['name-file', 6, path('file')],
      ['bind-socket', box.folder, 'door'],
    ])
    assert.ok(existsSync(path('control')))
    await eventually('the guest has written', () => readFileSync(path('file'), 'utf8') === 'written\n')
    await eventually('it is logged', () => readFileSync(path('log'), 'utf8').includes('line'))
    await new Promise<void>((resolve, reject) => {
      const socket = createConnection(path('door'), () => {
        socket.destroy()
        resolve()
      })
      socket.on('error', reject)
    })
    launcher.signal(9)
    const exited = await launcher.exited
    assert.is(exited.signal, 9)
    assert.ok(exited.duration_ns > 0)
    assert.equal(JSON.parse(readFileSync(path('end.json'), 'utf8')), exited)
    assert.ok(readFileSync(path('journal'), 'utf8').startsWith('word {"event":"exited"'))
  }),
)

for (const [what, operation] of [
  ['a name of the host', ['hostname', 'other']],
  ['a descriptor', ['keep-descriptor', 6, 5]],
  ['more time', ['time-limit', 1]],
] as const)
  native(`what begins cannot be given ${what}: it is refused by name, and killed`, () =>
    withBox(async (box) => {
      const launcher = await running(box, 'sleep 1000')
      const error = await begin(launcher, [operation as Operation]).then(
        () => null,
        (reason: EngineError) => reason,
      )
      assert.is(error?.data.operation, operation[0])
      assert.ok(
        await launcher.exited.then(
          () => false,
          () => true,
        ),
      )
    }),
  )

native('a plan that leaves nothing for later does not begin twice', () =>
  withBox(async (box) => {
    const launcher = box.launch(['sleep', '0.2'])
    await launcher.ready
    await launcher.go()
    const begun = launcher.begin().then(
      () => 'begun',
      () => 'never',
    )
    assert.is((await launcher.exited).code, 0)
    assert.is(await begun, 'never')
  }),
)

test.run()
