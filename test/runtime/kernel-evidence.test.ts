import * as assert from 'uvu/assert'
import { mountEvidence } from '../../src/runtime/kernel-evidence.js'
import { parseIdMap, parseLimits, parseMountinfo, parseStat } from '../../src/runtime/process-files.js'
import { suite } from '../support/suite.js'

const test = suite('runtime/kernel-evidence')

test('a mount line is read with its escapes, optional fields and options', () => {
  const [mount] = parseMountinfo('36 35 98:0 /mnt1 /mnt\\040two rw,noatime master:1 propagate_from:2 - ext3 /dev/root ro,errors=continue\n')
  assert.equal(mount, {
    device: '98:0',
    root: '/mnt1',
    mountPoint: '/mnt two',
    options: 'rw,noatime',
    optionalFields: ['master:1', 'propagate_from:2'],
    fileSystem: 'ext3',
    superOptions: 'ro,errors=continue',
  })
})

test('an overlay shows how many lowers it has and that it has an upper, but none of the host paths', () => {
  const line = (options: string) => parseMountinfo(`1 2 0:3 / / rw - overlay overlay ${options}\n`).map(mountEvidence)[0]?.superOptions
  assert.is(line('rw,lowerdir=/home/a/l1:/home/a/l2,upperdir=/home/a/u,workdir=/home/a/w,userxattr'), 'rw,userxattr,lowers=2,upper')
  assert.is(line('ro,lowerdir+=/home/a/l1,lowerdir+=/home/a/l2,lowerdir+=l3'), 'ro,lowers=3')
})

test('limits, maps and stat are read as the kernel prints them', () => {
  const limits =
    'Limit                     Soft Limit           Hard Limit           Units     \nMax processes             100                  200                  processes \nMax cpu time              unlimited            unlimited            seconds   \n'
  assert.equal(parseLimits(limits), { 'Max processes': 100, 'Max cpu time': -1 })
  assert.equal(parseIdMap('         0       1000          1\n         1     100000      65536\n'), [
    [0, 1000, 1],
    [1, 100000, 65536],
  ])
  const stat = '77 (a) S (b c) R 1 77 70 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 424242 1 1'
  assert.equal(parseStat(stat), { pid: 77, state: 'R', session: 70, startTime: 424242 })
})

test.run()
