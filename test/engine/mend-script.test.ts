import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { mendScript } from '../../src/engine/mend-script.js'
import { freeRange } from '../../src/launcher/id-map.js'
import type { Finding } from '../../src/launcher/probe.js'
import { apparmorProfile, type RootStep } from '../../src/launcher/root-steps.js'
import { suite } from '../support/suite.js'

const test = suite('engine/mend-script')

function finding(name: string, rootSteps: readonly RootStep[], why = 'it is not there'): Finding {
  return { name, purpose: 'a test', ok: false, required: false, errno: null, why, fix: null, rootSteps }
}

test('a host on which all is well, or on which root can do nothing, needs no script', () => {
  assert.is(mendScript([]), null)
  assert.is(mendScript([finding('kernel', [])]), null)
})

test('files are written as they are meant and commands run in order, whatever is in their words and reasons', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-mend-'))
  try {
    const path = join(folder, "a folder/it's/profile")
    const contents = `${apparmorProfile()}\n$(touch ${folder}/hacked) \`touch ${folder}/hacked\` 'quoted' \\n %s\n`
    const script = mendScript([
      finding(
        'user namespace',
        [
          { kind: 'file', path, contents },
          { kind: 'command', words: ['cp', path, join(folder, 'copy of it')] },
        ],
        `refused\ntouch ${folder}/hacked`,
      ),
      finding('id range', [{ kind: 'command', words: ['touch', join(folder, 'last; touch hacked')] }]),
    ])
    execFileSync('sh', ['-c', script ?? 'false'], { cwd: folder })
    assert.is(readFileSync(path, 'utf8'), contents)
    assert.is(readFileSync(join(folder, 'copy of it'), 'utf8'), contents)
    assert.ok(existsSync(join(folder, 'last; touch hacked')))
    assert.not(existsSync(join(folder, 'hacked')))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a step that fails stops the script', () => {
  const script = mendScript([
    finding('first', [{ kind: 'command', words: ['false'] }]),
    finding('second', [{ kind: 'command', words: ['echo', 'on'] }]),
  ])
  assert.throws(() => execFileSync('sh', ['-c', script ?? 'true'], { stdio: 'pipe' }))
})

test('a range of ids is one that nobody has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-mend-'))
  try {
    const path = join(folder, 'subuid')
    assert.is(freeRange(path), '100000-165535')
    writeFileSync(path, 'eve:100000:65536\n# text\nada:300000:65536\nbob:1:2\n')
    assert.is(freeRange(path), '365536-431071')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test.run()
