import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { etcFileContents, writeEtcFiles } from '../../src/rootfs/etc-files.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/etc-files')

const HOST_FILES: Readonly<Record<string, string>> = {
  '/etc/hosts': '127.0.0.1 localhost\n10.0.0.7 printer\n',
  '/etc/resolv.conf': 'nameserver 10.0.0.1\n',
}
const readHostFile = (path: string) => HOST_FILES[path] ?? ''

test('without a network nothing of the host is read, and the host name is a loopback address', () => {
  const files = etcFileContents({ hostname: 'guest', network: 'none', readHostFile: () => assert.unreachable() as never })
  assert.match(files['/etc/hosts'] ?? '', /^127\.0\.0\.1\tlocalhost\n/)
  assert.match(files['/etc/hosts'] ?? '', /\n127\.0\.0\.1\tguest\n$/)
  assert.is(files['/etc/hostname'], 'guest\n')
  assert.not.match(files['/etc/resolv.conf'] ?? '', /nameserver/)
})

test("the host's network brings the host's names, and the container's own besides", () => {
  const files = etcFileContents({ hostname: 'guest', network: 'host', readHostFile })
  assert.is(files['/etc/hosts'], '127.0.0.1 localhost\n10.0.0.7 printer\n127.0.0.1\tguest\n')
  assert.is(files['/etc/resolv.conf'], 'nameserver 10.0.0.1\n')
})

test('files are readable by any user of the container, in a folder that is not by other users of the host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wolffia-etc-'))
  const umask = process.umask(0o077)
  try {
    const files = writeEtcFiles(join(folder, 'etc'), { hostname: 'guest', network: 'none' })
    assert.equal(
      files.map(({ path }) => path),
      ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'],
    )
    for (const { source } of files) assert.is(statSync(source).mode & 0o777, 0o644)
    assert.is(statSync(join(folder, 'etc')).mode & 0o777, 0o700)
    assert.is(readFileSync(files[1]?.source ?? '', 'utf8'), 'guest\n')
  } finally {
    process.umask(umask)
    rmSync(folder, { recursive: true })
  }
})

test.run()
