import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { obstacle, probeHost } from '../../src/launcher/probe.js'
import { apparmorProfile } from '../../src/launcher/root-steps.js'
import { NATIVE } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('launcher/probe')

test.needs(NATIVE)('every step is tried, says what it found, and leaves nothing behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wolffia-probe-test-'))
  try {
    const findings = await probeHost({ directory })
    assert.is(obstacle(findings), null)
    assert.is(findings.length, 18)
    const terminal = findings.find(({ name }) => name === 'terminal')
    assert.equal([terminal?.ok, terminal?.required], [true, false], 'only -t needs one')
    for (const { ok, why, required } of findings) assert.ok(why.length > 0 && (ok || !required))
    assert.equal(readdirSync(directory), [])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test.needs(NATIVE)('what a killed probe left is removed, and nothing else that has such a name', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wolffia-probe-test-'))
  const named = (what: string) => join(directory, `wolffia-probe-1-1-1-${'0'.repeat(32)}-${what}`)
  try {
    mkdirSync(join(named('left'), 'disk/work/work'), { recursive: true })
    chmodSync(join(named('left'), 'disk/work/work'), 0)
    mkdirSync(join(directory, 'mine'))
    symlinkSync(join(directory, 'mine'), named('link'))
    await probeHost({ directory, stopAtFirst: true })
    assert.not.ok(existsSync(named('left')))
    assert.equal(readdirSync(directory).sort(), ['mine', named('link').slice(directory.length + 1)])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('the first required step that failed is the obstacle, with its way out', () => {
  const step = { purpose: '', errno: null, why: 'no', fix: null }
  assert.is(
    obstacle([
      { ...step, name: 'a', required: false, ok: false },
      { ...step, name: 'b', required: true, ok: false, fix: 'do this' },
    ]),
    'b: no; do this',
  )
  assert.is(obstacle([{ ...step, name: 'a', required: true, ok: true }]), null)
})

test('the AppArmor profile is for the launcher alone', () => {
  assert.match(apparmorProfile(), /\/launcher .*userns/)
})

test.run()
