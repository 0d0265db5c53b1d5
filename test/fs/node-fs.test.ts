import nodeFs, { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memfs } from 'memfs'
import * as assert from 'uvu/assert'
import { nodeFsOf } from '../../src/fs/node-fs.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { type AnyFs, differences, NODE_FS_CASES, outcomeOf, type Subject } from '../contract/node-fs.js'
import { NODE_20 } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('fs/node-fs')
const folder = mkdtempSync(join(tmpdir(), 'wolffia-node-fs-'))

/** Who this process is, for a tree. */
function ownCredentials() {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0]
  return { uid, gid, additionalGids: process.getgroups?.() ?? [] }
}

/** A new tree with a directory that this process's user may write. */
function ours(): Subject {
  const tree = new UnionFs({ lowers: [] })
  const root = tree.create(tree.root, 'home', { type: 'directory', mode: 0o755, ...ownCredentials() })
  assert.ok(root)
  return { fs: nodeFsOf(tree, { credentials: ownCredentials(), umask: process.umask() }), root: '/home' }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

const host: Subject = { fs: nodeFs, root: folder }

for (const each of NODE_FS_CASES)
  test.needs(...(each.later === undefined ? [] : [NODE_20]))(`as Node's own: ${each.name}`, async () => {
    const oracle = await outcomeOf(each, host)
    assert.not(isObject(oracle) && 'thrown' in oracle, JSON.stringify(oracle))
    assert.equal(differences(await outcomeOf(each, ours()), oracle), [])
  })

for (const each of NODE_FS_CASES.filter(({ memfs: why }) => why === undefined))
  test(`as memfs too: ${each.name}`, async () => {
    const { vol, fs } = memfs()
    vol.mkdirSync('/home')
    assert.equal(differences(await outcomeOf(each, { fs: fs as unknown as AnyFs, root: '/home' }), await outcomeOf(each, host)), [])
  })

test('nothing is left', () => rmSync(folder, { recursive: true }))

test.run()
