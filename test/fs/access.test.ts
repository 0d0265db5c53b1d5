import * as assert from 'uvu/assert'
import { EXECUTE, mayAccess, mayRemove, modeOfNewDirectory, ownerOfNew, READ, WRITE } from '../../src/fs/access.js'
import type { FileType } from '../../src/fs/file-system.js'
import { suite } from '../support/suite.js'

const test = suite('fs/access')

const stat = (mode: number, uid = 1, gid = 2, type: FileType = 'file') => ({ mode, uid, gid, type })
const who = (uid: number, gid: number, ...additionalGids: number[]) => ({ uid, gid, additionalGids })

test('the owner has the owner bits and no others', () => {
  assert.ok(mayAccess(stat(0o400), who(1, 9), READ))
  assert.not(mayAccess(stat(0o077), who(1, 2), READ))
  assert.not(mayAccess(stat(0o500), who(1, 2), READ | WRITE))
})

test('a member of the group has the group bits and no others', () => {
  assert.ok(mayAccess(stat(0o040), who(9, 2), READ))
  assert.ok(mayAccess(stat(0o020), who(9, 9, 8, 2), WRITE))
  assert.not(mayAccess(stat(0o707), who(9, 2), READ))
})

test('anybody else has the last bits', () => {
  assert.ok(mayAccess(stat(0o004), who(9, 9), READ))
  assert.not(mayAccess(stat(0o770), who(9, 9), READ))
})

test('uid 0 may do everything but execute what nobody may', () => {
  assert.ok(mayAccess(stat(0), who(0, 0), READ | WRITE))
  assert.not(mayAccess(stat(0o666), who(0, 0), EXECUTE))
  assert.ok(mayAccess(stat(0o001), who(0, 0), EXECUTE))
  assert.ok(mayAccess(stat(0, 1, 2, 'directory'), who(0, 0), EXECUTE))
})

test('in a sticky directory only the owners and uid 0 remove', () => {
  const sticky = stat(0o1777, 1, 2, 'directory')
  assert.ok(mayRemove(sticky, stat(0, 5), who(5, 5)))
  assert.ok(mayRemove(sticky, stat(0, 5), who(1, 5)))
  assert.ok(mayRemove(sticky, stat(0, 5), who(0, 0)))
  assert.not(mayRemove(sticky, stat(0, 5), who(6, 6)))
  assert.ok(mayRemove(stat(0o777, 1, 2, 'directory'), stat(0, 5), who(6, 6)))
  assert.not(mayRemove(stat(0o755, 1, 2, 'directory'), stat(0, 6), who(6, 6)))
})

test('below a setgid directory what is new has its group, and a directory the bit too', () => {
  const user = { uid: 7, gid: 8, additionalGids: [] }
  const [plain, setgid] = [
    { mode: 0o6755 & 0o4777, gid: 9 },
    { mode: 0o2755, gid: 9 },
  ]
  assert.equal(
    [ownerOfNew(plain, user), ownerOfNew(setgid, user)],
    [
      { uid: 7, gid: 8 },
      { uid: 7, gid: 9 },
    ],
  )
  assert.equal([modeOfNewDirectory(plain, 0o7777), modeOfNewDirectory(setgid, 0o750)], [0o1777, 0o2750])
})

test.run()
