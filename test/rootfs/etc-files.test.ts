import * as assert from 'uvu/assert'
import type { EtcRequest } from '../../src/rootfs/etc-files.js'
import { accountFiles, etcFiles } from '../../src/rootfs/etc-files.js'
import { suite } from '../support/suite.js'

const test = suite('rootfs/etc-files')

const HOST_FILES: Readonly<Record<string, string>> = {
  '/etc/hosts': '127.0.0.1 localhost\n10.0.0.7 printer\n',
  '/etc/resolv.conf': 'nameserver 10.0.0.1\n',
}
const readHostFile = (path: string) => HOST_FILES[path] ?? ''
const contents = (request: EtcRequest) => Object.fromEntries(etcFiles(request).map(({ path, content }) => [path, content]))

test('without a network nothing of the host is read, and the host name is a loopback address', () => {
  const files = contents({ hostname: 'guest', network: 'none', readHostFile: () => assert.unreachable() as never })
  assert.match(files['/etc/hosts'] ?? '', /^127\.0\.0\.1\tlocalhost\n/)
  assert.match(files['/etc/hosts'] ?? '', /\n127\.0\.0\.1\tguest\n$/)
  assert.is(files['/etc/hostname'], 'guest\n')
  assert.not.match(files['/etc/resolv.conf'] ?? '', /nameserver/)
})

test("the host's network brings the host's names, and the container's own besides", () => {
  const files = contents({ hostname: 'guest', network: 'host', readHostFile })
  assert.is(files['/etc/hosts'], '127.0.0.1 localhost\n10.0.0.7 printer\n127.0.0.1\tguest\n')
  assert.is(files['/etc/resolv.conf'], 'nameserver 10.0.0.1\n')
})

const IMAGE_FILES: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nann:x:33:34::/:/bin/sh',
  '/etc/group': 'web:x:34:\n',
}
const accounts = (uid: number, gid: number, name: string, files = IMAGE_FILES) =>
  Object.fromEntries(accountFiles({ uid, gid, name }, (path) => files[path] ?? '').map(({ path, content }) => [path, content]))

test('who keeps his ids has a line in passwd and group where the image lacks them, and there alone', () => {
  assert.equal(accounts(1000, 1001, 'bob'), {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nann:x:33:34::/:/bin/sh\nbob:x:1000:1001::/:/bin/sh\n',
    '/etc/group': 'web:x:34:\nbob:x:1001:\n',
  })
  assert.equal(accounts(33, 34, 'bob'), {})
  assert.equal(Object.keys(accounts(1000, 34, 'bob')), ['/etc/passwd'])
  assert.equal(accounts(1, 2, 'bob', {}), {}, 'an image without such files stays without')
})

test('a name that the image has, or that would be more than a name, is not taken: the number stands for it', () => {
  for (const name of ['ann', 'a:x:0:0', 'a\nroot2:x:0:0::/:', '', '-x'])
    assert.match(accounts(1000, 34, name)['/etc/passwd'] ?? '', /\n1000:x:1000:34::\/:\/bin\/sh\n$/, name)
})

test('to files that are no such files, or without end, nothing is added', () => {
  for (const content of ['a\0b', 'x'.repeat(1024 * 1024)])
    assert.equal(accounts(1, 2, 'bob', { '/etc/passwd': content, '/etc/group': content }), {})
})

test.run()
