import * as assert from 'uvu/assert'
import type { EtcRequest } from '../../src/rootfs/etc-files.js'
import { etcFiles } from '../../src/rootfs/etc-files.js'
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

test.run()
