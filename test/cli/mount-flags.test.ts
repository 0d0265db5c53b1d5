import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { driven, parseMount, parseVolume } from '../../src/cli/mount-flags.js'
import type { EngineError } from '../../src/errors.js'
import { suite } from '../support/suite.js'

const test = suite('cli/mount-flags')

const refusal = (parse: () => unknown): EngineError => {
  try {
    parse()
  } catch (error) {
    return error as EngineError
  }
  throw new Error('was taken')
}

test('-v of a path binds it, of a name mounts a volume, of one path alone makes an anonymous volume', () => {
  assert.equal(parseVolume('/a:/b'), { type: 'bind', source: '/a', destination: '/b', readonly: false })
  for (const [relative, source] of [
    ['./a', 'a'],
    ['.', '.'],
    ['../a/', '../a'],
  ] as const)
    assert.is((parseVolume(`${relative}:/b`) as { source: string }).source, resolve(source))
  assert.equal(parseVolume('/a:/b:ro,rprivate'), { type: 'bind', source: '/a', destination: '/b', readonly: true })
  assert.equal(parseVolume('/a:/b:cached'), { type: 'bind', source: '/a', destination: '/b', readonly: false })
  assert.equal(parseVolume('name:/b'), { type: 'volume', name: 'name', destination: '/b', readonly: false })
  assert.equal(parseVolume('name:/b:ro,nocopy'), { type: 'volume', name: 'name', destination: '/b', readonly: true, noCopy: true })
  assert.equal(parseVolume('/b'), { type: 'volume', destination: '/b', readonly: false })
})

test('z and Z relabel what SELinux has labelled: nothing without it, refused by name with it', () => {
  for (const word of ['z', 'Z'])
    if (existsSync('/sys/fs/selinux/enforce'))
      assert.match(refusal(() => parseVolume(`/a:/b:ro,${word}`)).message, /with SELinux is not built/)
    else assert.equal(parseVolume(`/a:/b:ro,${word}`), { type: 'bind', source: '/a', destination: '/b', readonly: true })
})

test('what -v cannot be says so, and what is not built is named', () => {
  assert.is(refusal(() => parseVolume('')).message, '-v needs [SOURCE:]TARGET')
  for (const [text, code, says] of [
    ['a/b:/c', 'INVALID_ARGUMENT', /neither a path nor a name/],
    ['~/x:/y', 'INVALID_ARGUMENT', /neither a path nor a name/],
    ['/a:/b:c:d', 'INVALID_ARGUMENT', /must read \[SOURCE:\]TARGET/],
    [':/b', 'INVALID_ARGUMENT', /must read/],
    ['b', 'INVALID_ARGUMENT', /must be absolute: "b"/],
    ['/a:ro', 'INVALID_ARGUMENT', /"ro" is an option and not a path/],
    ['/a:/b:bogus', 'INVALID_ARGUMENT', /unknown option "bogus"/],
    ['/a:/b:ro,rw', 'INVALID_ARGUMENT', /both ro and rw/],
    ['/a:/b:nocopy', 'INVALID_ARGUMENT', /nocopy is for volumes/],
    ['/a:/b:U', 'NOT_BUILT', /option "U" is not built/],
    ['name:/b:rshared', 'NOT_BUILT', /option "rshared"/],
    ['/a:/b:ro,rshared', 'NOT_BUILT', /rshared propagation/],
  ] as const) {
    const { code: found, message } = refusal(() => parseVolume(text))
    assert.is(found, code, text)
    assert.match(message, says)
  }
})

test('--mount by name: each of its kinds, under all their words', () => {
  const bind = { type: 'bind', source: '/a', destination: '/b', readonly: false }
  for (const text of ['type=bind,source=/a,target=/b', 'type=bind,src=/a,dst=/b', 'TYPE=bind,SRC=/a,destination=/b,readonly=false'])
    assert.equal(parseMount(text), bind, text)
  for (const consistency of ['consistent', 'cached', 'delegated', 'default'])
    assert.equal(parseMount(`type=bind,src=/a,dst=/b,consistency=${consistency}`), bind)
  for (const text of ['readonly', 'ro', 'ro=true', 'readonly=1', 'ro,bind-recursive=readonly', 'ro,bind-propagation=rprivate'])
    assert.equal(parseMount(`type=bind,src=/a,dst=/b,${text}`), { ...bind, readonly: true }, text)
  for (const text of ['bind-recursive=disabled', 'bind-nonrecursive', 'bind-nonrecursive=true'])
    assert.equal(parseMount(`type=bind,src=/a,dst=/b,${text}`), { ...bind, recursive: false }, text)
  assert.equal(parseMount('src=data,dst=/b'), { type: 'volume', name: 'data', destination: '/b', readonly: false })
  assert.equal(parseMount('type=volume,target=/b,volume-nocopy'), { type: 'volume', destination: '/b', readonly: false, noCopy: true })
  assert.equal(
    parseMount(
      'src=data,dst=/b,volume-subpath=a/b,volume-driver=local,volume-label=x=1,volume-label=y,volume-opt=o=rw,volume-opt=type=nfs',
    ),
    {
      type: 'volume',
      name: 'data',
      destination: '/b',
      readonly: false,
      subpath: 'a/b',
      driver: 'local',
      labels: { x: '1', y: '' },
      options: { o: 'rw', type: 'nfs' },
    },
  )
  assert.equal(parseMount('type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1700'), {
    type: 'tmpfs',
    destination: '/b',
    readonly: false,
    sizeBytes: 64 * 1024 ** 2,
    mode: 0o1700,
  })
  assert.equal(parseMount('type=tmpfs,dst=/b,tmpfs-size=0'), { type: 'tmpfs', destination: '/b', readonly: false })
})

test('a field of --mount in double quotes may hold commas, colons and quotes', () => {
  assert.is((parseMount('type=bind,"src=/a,b:c ""d""",dst=/b') as { source: string }).source, '/a,b:c "d"')
  assert.match(refusal(() => parseMount('type=bind,src="/a",dst=/b')).message, /double quote/)
  assert.match(refusal(() => parseMount('type=bind,"src=/a')).message, /double quote/)
})

test('what --mount cannot be says so, and what is not built is named', () => {
  for (const [text, code, says] of [
    ['', 'INVALID_ARGUMENT', /target is required/],
    ['type=bind,src=/a', 'INVALID_ARGUMENT', /target is required/],
    ['type=bind,dst=/b', 'INVALID_ARGUMENT', /source is required/],
    ['type=bogus,dst=/b', 'INVALID_ARGUMENT', /no mount type "bogus"/],
    ['src=data,dst=b', 'INVALID_ARGUMENT', /must be absolute: "b"/],
    ['src=data,dst=/b,bogus=1', 'INVALID_ARGUMENT', /unknown key 'bogus'/],
    ['src=data,dst=/b,bogus', 'INVALID_ARGUMENT', /unknown key 'bogus'/],
    ['src,dst=/b', 'INVALID_ARGUMENT', /'src': it must be a key=value pair/],
    ['src=data,dst=/b,ro=perhaps', 'INVALID_ARGUMENT', /invalid value for ro: perhaps/],
    ['type=bind,src=/a,dst=/b,volume-nocopy', 'INVALID_ARGUMENT', /cannot mix 'volume-\*' options with mount type 'bind'/],
    ['src=data,dst=/b,bind-propagation=rprivate', 'INVALID_ARGUMENT', /cannot mix 'bind-\*' options with mount type 'volume'/],
    ['src=data,dst=/b,tmpfs-size=1', 'INVALID_ARGUMENT', /cannot mix 'tmpfs-\*'/],
    ['src=data,dst=/b,volume-subpath=/x', 'INVALID_ARGUMENT', /relative path/],
    ['src=data,dst=/b,volume-label==x', 'INVALID_ARGUMENT', /volume-label needs a name/],
    ['type=tmpfs,src=/a,dst=/b', 'INVALID_ARGUMENT', /a tmpfs has no source/],
    ['type=tmpfs,dst=/b,tmpfs-size=much', 'INVALID_ARGUMENT', /"much" is no size/],
    ['type=tmpfs,dst=/b,tmpfs-mode=9', 'INVALID_ARGUMENT', /no octal mode/],
    ['type=bind,src=/a,dst=/b,bind-propagation=some', 'INVALID_ARGUMENT', /no bind-propagation "some"/],
    ['type=bind,src=/a,dst=/b,bind-recursive=some', 'INVALID_ARGUMENT', /no bind-recursive "some"/],
    ['type=bind,src=/a,dst=/b,bind-recursive=readonly', 'INVALID_ARGUMENT', /needs readonly/],
    ['type=bind,src=/a,dst=/b,bind-nonrecursive,bind-recursive=enabled', 'INVALID_ARGUMENT', /leave one out/],
    ['type=bind,src=/a,dst=/b,bind-recursive=writable,ro', 'NOT_BUILT', /bind-recursive=writable is not built/],
    ['type=bind,src=/a,dst=/b,bind-propagation=rshared', 'NOT_BUILT', /rshared propagation is not built/],
    ['type=bind,src=/a,dst=/b,bind-create-src', 'NOT_BUILT', /bind-create-src is not built/],
    ['type=bind,src=/a,dst=/b,consistency=much', 'INVALID_ARGUMENT', /there is no consistency "much"/],
    ['type=image,src=x,dst=/b', 'NOT_BUILT', /type image is not built/],
    ['type=cluster,src=x,dst=/b', 'NOT_BUILT', /type cluster is not built/],
  ] as const) {
    const { code: found, message } = refusal(() => parseMount(text))
    assert.is(found, code, text)
    assert.match(message, says, text)
  }
})

test('--volume-driver is for volumes that name none of their own', () => {
  const of = (text: string, driver?: string) => (driven(parseMount(text), driver) as { driver?: string }).driver
  assert.is(of('src=data,dst=/b', 'mine'), 'mine')
  assert.is(of('src=data,dst=/b,volume-driver=local', 'mine'), 'local')
  assert.is(of('src=data,dst=/b'), undefined)
  assert.is(of('type=bind,src=/a,dst=/b', 'mine'), undefined)
})

test.run()
