/** What others can do to a directory of the host, or a volume, while a guest has it mounted. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { ErrnoError } from '../../src/fs/errno.js'
import { HostDirectory } from '../../src/wasm/sandbox/host-directory.js'
import { suite } from '../support/suite.js'

const test = suite('wasm/host-directory.security')
const DIRECTORY = { type: 'directory', mode: 0o755, uid: 0, gid: 0 } as const

test('two directories that somebody moves into each other between two looks are gone, and end no call but by an errno', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-test-'))
  const fs = new HostDirectory(folder)
  try {
    const outer = fs.create(fs.root, 'outer', DIRECTORY)
    const inner = fs.create(outer, 'inner', DIRECTORY)
    fs.stat(inner)
    renameSync(join(folder, 'outer/inner'), join(folder, 'inner'))
    renameSync(join(folder, 'outer'), join(folder, 'inner/outer'))
    // Seen in each other now; then more is looked at than is kept open.
    assert.is(fs.lookup(inner, 'outer'), outer)
    for (let place = 0; place < 300; place++) {
      writeFileSync(join(folder, `file${place}`), '')
      fs.stat(fs.lookup(fs.root, `file${place}`) ?? 0)
    }
    for (const directory of [outer, inner])
      assert.throws(
        () => fs.readdir(directory),
        (error: unknown) => error instanceof ErrnoError && error.code === 'ENOENT',
      )
    // By its new name it is found again, and all that is in it.
    assert.is(fs.lookup(fs.root, 'inner'), inner)
    assert.equal(
      fs.readdir(inner).map(({ name }) => name),
      ['outer'],
    )
    assert.equal(fs.readdir(outer), [])
  } finally {
    fs.close()
    rmSync(folder, { recursive: true })
  }
})

test.run()
