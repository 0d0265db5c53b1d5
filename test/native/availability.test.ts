import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { availability } from '../../src/native/availability.js'
import { NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('native/availability')

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-available-'))
  try {
    await body(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.needs(NATIVE)('a good answer is kept beside the trees, and the probe leaves nothing else', () =>
  withFolder(async (folder) => {
    const trees = join(folder, 'trees')
    assert.is((await availability(trees)).obstacle, null)
    assert.equal(readdirSync(trees).sort(), ['probe.json', 'probe.lock'])
    assert.equal(readdirSync(join(trees, 'probe.lock')), [])
    assert.is(JSON.parse(readFileSync(join(trees, 'probe.json'), 'utf8')).obstacle, null)
  }),
)

test.needs(NATIVE)('an answer of another boot, kernel or launcher, or one that cannot be read, is asked for again', () =>
  withFolder(async (folder) => {
    for (const text of ['{"obstacle":"of another boot","upperInMemory":false,"circumstances":"before"}', 'not JSON']) {
      const trees = mkdtempSync(join(folder, 'trees-'))
      writeFileSync(join(trees, 'probe.json'), text)
      assert.is((await availability(trees)).obstacle, null)
    }
  }),
)

test.needs(NATIVE)('a bad answer is asked for again by the same process', () =>
  withFolder(async (folder) => {
    writeFileSync(join(folder, 'home'), '')
    const trees = join(folder, 'home', 'trees')
    assert.match((await availability(trees)).obstacle ?? '', /ENOTDIR/)
    rmSync(join(folder, 'home'))
    assert.is((await availability(trees)).obstacle, null)
  }),
)

test('a folder that cannot be made is an obstacle with its reason, not an exception', () =>
  withFolder(async (folder) => {
    writeFileSync(join(folder, 'file'), '')
    const { obstacle } = await availability(join(folder, 'file', 'trees'))
    assert.match(obstacle ?? '', /ENOTDIR/)
    assert.ok(existsSync(join(folder, 'file')))
  }))

test.run()
