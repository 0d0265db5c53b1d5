import { lstatSync, mkdirSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import type { Operation } from '../../src/launcher/operations.js'
import { type Box, withBox } from '../support/launcher-box.js'
import { BUSYBOX, NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/listener')
const native = test.needs(NATIVE, BUSYBOX)

const listening = (folder: string, name = 'door', descriptor = 6): Operation[] => [
  ['listening-socket', folder, name, descriptor],
  ['keep-descriptor', descriptor, 3],
]

/** `connected`, or the errno of why not. */
function connect(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection(path, () => {
      socket.destroy()
      resolve('connected')
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}

async function failure(box: Box, supervision: readonly Operation[]): Promise<Readonly<Record<string, unknown>>> {
  const error = await box.launch(['true'], { supervision }).ready.then(
    () => null,
    (reason: EngineError) => reason,
  )
  return error?.data ?? {}
}

native('a guest is given a socket that listens in a folder of the host’s, which is there before it runs and gone with it', () =>
  withBox(async (box) => {
    const folder = join(box.folder, 'x'.repeat(150))
    mkdirSync(folder)
    writeFileSync(join(folder, 'door'), 'what bore the name before')
    const launcher = box.launch(['sh', '-c', 'ls -l /proc/self/fd; sleep 1000'], { supervision: listening(folder) })
    let said = ''
    launcher.stdout?.on('data', (chunk) => {
      said += chunk
    })
    await launcher.ready
    assert.is(lstatSync(join(folder, 'door')).mode & 0o777, 0o700)
    assert.ok(lstatSync(join(folder, 'door')).isSocket())
    const from = process.cwd()
    process.chdir(folder)
    try {
      assert.is(await connect('door'), 'connected')
      await launcher.go()
      while (!/3 -> socket:/.test(said)) await new Promise((resolve) => setTimeout(resolve, 10))
      assert.is(await connect('door'), 'connected')
      launcher.signal(9)
      await launcher.exited
      assert.is(await connect('door'), 'ECONNREFUSED')
    } finally {
      process.chdir(from)
    }
  }),
)

native('it takes nobody’s descriptor and is made in no other folder', () =>
  withBox(async (box) => {
    for (const name of ['', '.', '..', '../door', 'x'.repeat(64)])
      assert.is((await failure(box, listening(box.folder, name))).errno, 'EINVAL', name)
    assert.is((await failure(box, listening(box.folder, 'door', 4))).errno, 'EINVAL')
    assert.is((await failure(box, listening(join(box.folder, 'nowhere')))).errno, 'ENOENT')
    const twice = [...listening(box.folder), ...listening(box.folder, 'other', 7)]
    assert.is((await failure(box, twice)).errno, 'EINVAL')
    const taken = box.launch(['true'], { supervision: listening(box.folder), launch: { descriptors: ['pipe'] } })
    assert.is((await taken.ready.catch((reason: EngineError) => reason.data.errno)) as unknown, 'EEXIST')
  }),
)

test.run()
