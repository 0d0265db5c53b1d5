import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import type { EngineError } from '../../src/errors.js'
import { withRealSources } from '../../src/runtime/sources.js'
import type { ContainerSpec, Mount } from '../../src/runtime/spec.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/sources')

/** A home with a volume `data` that has a folder `sub`, and a secret beside it. */
function withHome(body: (home: string) => void): void {
  const home = mkdtempSync(join(tmpdir(), 'wolffia-sources-'))
  try {
    mkdirSync(join(home, 'volumes/data/_data/sub'), { recursive: true })
    mkdirSync(join(home, 'secret/_data/sub'), { recursive: true })
    body(home)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

const sourceOf = (mount: Mount): string => {
  const [resolved] = withRealSources({ mounts: [mount] } as unknown as ContainerSpec).mounts
  return resolved !== undefined && resolved.type !== 'tmpfs' ? resolved.source : ''
}
const volume = (home: string, subpath?: string): Mount => ({
  type: 'volume',
  name: 'data',
  source: join(home, 'volumes/data/_data'),
  destination: '/data',
  readonly: false,
  anonymous: false,
  ...(subpath === undefined ? {} : { subpath }),
})
const codeOf = (mount: Mount): string => {
  try {
    return sourceOf(mount)
  } catch (error) {
    return (error as EngineError).code
  }
}

test('a bind is of where its source leads now, by a path that has no symlink left', () =>
  withHome((home) => {
    symlinkSync('secret', join(home, 'link'))
    const bind = (source: string): Mount => ({ type: 'bind', source, destination: '/x', readonly: false })
    assert.is(sourceOf(bind(join(home, 'link/_data'))), join(home, 'secret/_data'))
    assert.is(codeOf(bind(join(home, 'missing'))), 'INVALID_ARGUMENT')
  }))

test('CVE-2023-0778: a volume whose folder became a symlink leads nowhere', () => {
  for (const place of ['volumes/data/_data', 'volumes/data'])
    withHome((home) => {
      assert.is(sourceOf(volume(home)), join(home, 'volumes/data/_data'))
      rmSync(join(home, place), { recursive: true })
      symlinkSync(place.endsWith('_data') ? join(home, 'secret/_data') : join(home, 'secret'), join(home, place))
      assert.is(codeOf(volume(home)), 'UNSAFE_PATH', place)
      rmSync(join(home, place))
      assert.is(codeOf(volume(home)), 'VOLUME_NOT_FOUND', place)
      writeFileSync(join(home, place), '')
      assert.is(codeOf(volume(home)), 'UNSAFE_PATH', place)
    })
})

test('CVE-2017-1002101: a subpath that a guest made a symlink of leads nowhere', () =>
  withHome((home) => {
    const data = join(home, 'volumes/data/_data')
    assert.is(sourceOf(volume(home, './sub/')), join(data, 'sub'))
    symlinkSync('/etc', join(data, 'out'))
    symlinkSync('sub', join(data, 'in'))
    for (const subpath of ['out', 'in', 'out/passwd', 'in/..', 'sub/../..', '..'])
      assert.is(codeOf(volume(home, subpath)), 'UNSAFE_PATH', subpath)
  }))

test('the folder of all volumes may be a link of its user’s', () =>
  withHome((home) => {
    renameSync(join(home, 'volumes'), join(home, 'elsewhere'))
    symlinkSync('elsewhere', join(home, 'volumes'))
    assert.is(sourceOf(volume(home)), join(home, 'elsewhere/data/_data'))
  }))

test.run()
