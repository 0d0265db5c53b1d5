import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { Lock } from '../../src/store/lock.js'
import { ownIdentity } from '../../src/store/process-identity.js'
import { suite } from '../support/suite.js'

const test = suite('store/lock')

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-lock-'))
  try {
    await body(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('of many who want in, one at a time is in, and each gets its turn', () =>
  withFolder(async (folder) => {
    let inside = 0
    let turns = 0
    await Promise.all(
      Array.from({ length: 25 }, () =>
        // A lock of its own each, as in different processes.
        new Lock(join(folder, 'lock')).hold(async () => {
          assert.is(++inside, 1)
          await new Promise((resolve) => setTimeout(resolve, 1))
          turns++
          inside--
        }),
      ),
    )
    assert.is(turns, 25)
    assert.equal(await readdir(join(folder, 'lock')), [])
  }))

test('a lock whose holder is gone is not waited for', () =>
  withFolder(async (folder) => {
    const [pid, started, namespace, boot] = ownIdentity().split('-')
    const gone = [
      // Another start time: the pid was given to another process since.
      `1-${pid}-${Number(started) - 1}-${namespace}-${boot}-00ff`,
      `choosing-${pid}-${Number(started) - 1}-${namespace}-${boot}-00fe`,
      // Another boot.
      `2-${pid}-${started}-${namespace}-${'0'.repeat(32)}-00fd`,
    ]
    for (const name of gone) await writeFile(join(folder, name), '')
    await new Lock(folder).hold(async () => {}, { timeoutMs: 10_000 })
    assert.equal(await readdir(folder), [])
  }))

test('a lock held by a living process is waited for, and STORE_LOCKED names the process', () =>
  withFolder(async (folder) => {
    const lock = new Lock(folder)
    await lock.hold(async () => {
      try {
        await lock.hold(async () => assert.unreachable(), { timeoutMs: 30 })
        assert.unreachable()
      } catch (error) {
        assert.is((error as { code: string }).code, 'STORE_LOCKED')
        assert.match((error as Error).message, `pid ${process.pid}`)
      }
    })
    assert.equal(await readdir(folder), [])
  }))

test('waiting stops when it is aborted, and leaves no claim behind', () =>
  withFolder(async (folder) => {
    const lock = new Lock(folder)
    await lock.hold(async () => {
      const controller = new AbortController()
      setTimeout(() => controller.abort(), 20)
      try {
        await lock.hold(async () => assert.unreachable(), { signal: controller.signal })
        assert.unreachable()
      } catch (error) {
        assert.is((error as { code: string }).code, 'ABORTED')
      }
      assert.is((await readdir(folder)).length, 1)
    })
  }))

test('whoever is in has one file in the folder, its announcement become a ticket', () =>
  withFolder(async (folder) => {
    const directory = join(folder, 'not/there/yet')
    await new Lock(directory).hold(async () => {
      const [file, ...others] = await readdir(directory)
      assert.match(file ?? '', /^1-\d/)
      assert.equal(others, [])
    })
    assert.equal(await readdir(directory), [])
  }))

test('an action that throws lets go', () =>
  withFolder(async (folder) => {
    const lock = new Lock(folder)
    try {
      await lock.hold(() => Promise.reject(new Error('mine')))
      assert.unreachable()
    } catch (error) {
      assert.is((error as Error).message, 'mine')
    }
    await lock.hold(async () => {}, { timeoutMs: 10_000 })
  }))

test.run()
