import * as assert from 'uvu/assert'
import { resolveUser } from '../../src/container/user.js'
import { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'

const test = suite('container/user')
const files = {
  passwd:
    'root:x:0:0:root:/root:/bin/sh\n# a comment\nweb:x:33:33:www:/var/www:/bin/false\nbroken line\n1000:x:77:78::/named-like-a-number:\n',
  group: 'root:x:0:root\nadm:x:4:root,web\nwww:x:33:\nstaff:x:50:web\n',
}

function refusal(wanted: string): EngineError {
  try {
    resolveUser(wanted, files)
  } catch (error) {
    if (error instanceof EngineError) return error
  }
  throw new Error(`${wanted} was not refused`)
}

test('nobody named means root, with the groups the image lists for it', () => {
  assert.equal(resolveUser('', files), { uid: 0, gid: 0, additionalGids: [0, 4], namedGids: [], home: '/root' })
})

test('a name gives its ids, its home and the groups it is a member of', () => {
  assert.equal(resolveUser('web', files), { uid: 33, gid: 33, additionalGids: [4, 50], namedGids: [], home: '/var/www' })
})

test('a number with an entry is that user', () => {
  assert.equal(resolveUser('33', files), { uid: 33, gid: 33, additionalGids: [4, 50], namedGids: [], home: '/var/www' })
})

test('a number without an entry is taken as it is, with group 0', () => {
  assert.equal(resolveUser('1234', files), { uid: 1234, gid: 0, additionalGids: [], namedGids: [], home: '/' })
})

test('a name made of digits wins over the number, as in docker', () => {
  assert.is(resolveUser('1000', files).uid, 77)
})

test('a group that is named leaves no others', () => {
  assert.equal(resolveUser('web:staff', files), { uid: 33, gid: 50, additionalGids: [], namedGids: [], home: '/var/www' })
  assert.is(resolveUser('web:9999', files).gid, 9999)
  assert.is(resolveUser(':staff', files).gid, 50)
})

test('an unknown name, an unknown group and an id beyond 2³¹−1 are refused', () => {
  assert.match(refusal('nosuch').message, /unable to find user nosuch/)
  assert.match(refusal('web:nosuch').message, /unable to find group nosuch/)
  assert.match(refusal('2147483648').message, /2147483647/)
  assert.is(refusal('-1').code, 'INVALID_ARGUMENT')
})

test('an image without these files knows numbers only', () => {
  assert.equal(resolveUser('', { passwd: '', group: '' }), { uid: 0, gid: 0, additionalGids: [], namedGids: [], home: '/' })
  assert.throws(() => resolveUser('root', { passwd: '', group: '' }), /unable to find user root/)
})

test.run()
