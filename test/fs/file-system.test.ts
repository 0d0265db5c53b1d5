import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Volume } from 'memfs'
import { nodeFsOf } from '../../src/fs/node-fs.js'
import { ObjectFileSystem } from '../../src/fs/object-file-system.js'
import { UnionFs } from '../../src/fs/union-fs.js'
import { fileSystemContract } from '../contract/file-system.js'
import { memfsFileSystem } from '../contract/memfs-file-system.js'
import { layerOf, mustFind, rawTar } from '../layer/tar.js'
import { folderFs } from '../support/folder-fs.js'
import { suite } from '../support/suite.js'

const test = suite('fs/contract')
const folder = { type: 'directory', mode: 0o777, uid: 0, gid: 0 } as const

fileSystemContract(test, {
  name: 'a union without layers',
  make: () => {
    const fs = new UnionFs({ lowers: [] })
    return { fs, directory: fs.root }
  },
})

fileSystemContract(test, {
  name: "a union, in a directory of a layer's",
  make: () => {
    const lowers = [
      layerOf(
        rawTar([
          { name: 'deep/work/gone', body: 'x' },
          { name: 'deep/file', body: 'y' },
        ]),
      ),
      layerOf(rawTar([{ name: 'deep/work/.wh.gone' }, { name: 'other/x' }])),
    ]
    const fs = new UnionFs({ lowers })
    return { fs, directory: mustFind(fs, 'deep/work') }
  },
})

fileSystemContract(test, {
  name: "a union, over what was a layer's directory and is a new one",
  make: () => {
    const fs = new UnionFs({
      lowers: [
        layerOf(
          rawTar([
            { name: 'work/f', body: 'lower' },
            { name: 'work/sub/x', body: 'lower' },
          ]),
        ),
      ],
    })
    fs.rename(fs.root, 'work', fs.root, 'old')
    return { fs, directory: fs.create(fs.root, 'work', folder) }
  },
})

fileSystemContract(test, {
  name: 'memfs, the oracle',
  make: () => {
    const fs = memfsFileSystem()
    return { fs, directory: fs.create(fs.root, 'work', folder) }
  },
  lacks: ['xattrs', 'devices', 'retain', 'directory-link-count', 'symlink-link'],
})

fileSystemContract(test, {
  name: 'a memfs Volume as a file tree',
  make: () => {
    const fs = new ObjectFileSystem(new Volume())
    return { fs, directory: fs.create(fs.root, 'work', folder) }
  },
  lacks: ['xattrs', 'devices', 'directory-link-count', 'symlink-link'],
})

fileSystemContract(test, {
  name: 'our own node:fs, as a file tree again',
  make: () => {
    const fs = new ObjectFileSystem(nodeFsOf(new UnionFs({ lowers: [] }), { umask: 0 }))
    return { fs, directory: fs.create(fs.root, 'work', folder) }
  },
  lacks: ['xattrs', 'devices', 'directory-link-count', 'symlink-link'],
})

const base = mkdtempSync(join(tmpdir(), 'wolffia-folder-fs-'))
fileSystemContract(test, {
  name: 'node:fs below a folder, as a file tree',
  make: () => {
    const fs = new ObjectFileSystem(folderFs(mkdtempSync(join(base, 'x'))))
    return { fs, directory: fs.create(fs.root, 'work', folder) }
  },
  lacks: ['xattrs', 'devices', 'directory-link-count', 'symlink-link'],
})

test('nothing is left', () => rmSync(base, { recursive: true }))

test.run()
