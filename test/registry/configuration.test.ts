import * as assert from 'uvu/assert'
import { EngineError } from '../../src/errors.js'
import { formatReference } from '../../src/reference/reference.js'
import { parseConfiguration, resolveName } from '../../src/registry/configuration.js'
import { endpointsOf, insecureHosts, urlAt } from '../../src/registry/endpoint.js'
import { suite } from '../support/suite.js'

const test = suite('registry/configuration')
const read = (settings: object) => parseConfiguration(JSON.stringify(settings), 'registries.json')

test('docker.io is asked where it really is, and every other registry by its name', () => {
  const [hub, other, local] = ['docker.io', 'registry.example:5000', '[::1]:5000'].map((domain) => endpointsOf(domain, read({})).at(-1))
  assert.is(hub && urlAt(hub, 'https:', '/v2/').href, 'https://registry-1.docker.io/v2/')
  assert.equal([other?.base.href, other?.plainAllowed], ['https://registry.example:5000/', false])
  assert.equal([local?.base.href, local?.plainAllowed], ['https://[::1]:5000/', true])
})

test('plain HTTP may be spoken by this machine alone, or where the settings say so', () => {
  const allowed = (domain: string, settings = {}) => endpointsOf(domain, read(settings)).at(-1)?.plainAllowed
  for (const domain of ['localhost', 'localhost:5000', '127.0.0.1:5000', '127.9.9.9']) assert.is(allowed(domain), true, domain)
  for (const domain of ['localhost.example', '128.0.0.1', '10.0.0.1:5000', '127.0.0.1.example']) assert.is(allowed(domain), false, domain)
  assert.is(allowed('10.0.0.1:5000', { insecureRegistries: ['10.0.0.1:5000'] }), true)
  assert.is(allowed('10.0.0.1:5001', { insecureRegistries: ['10.0.0.1:5000'] }), false)
})

test('an insecure docker.io is so where it really is, and nothing else is with it', () => {
  assert.equal([...insecureHosts(read({ insecureRegistries: ['docker.io'] }))], ['docker.io', 'registry-1.docker.io', 'index.docker.io'])
  assert.equal([...insecureHosts(read({ insecureRegistries: ['a.example'] }))], ['a.example'])
})

test('a host that can be none is refused before anything is asked', () => {
  for (const domain of ['a127.0.0.1', 'localhost:70000'])
    assert.throws(
      () => endpointsOf(domain, read({})),
      (error: unknown) => error instanceof EngineError && error.code === 'INVALID_REFERENCE',
    )
})

test('a mirror may lie below a path', () => {
  const [mirror] = endpointsOf('docker.io', read({ mirrors: { 'docker.io': ['https://mirror.example/hub/'] } }))
  assert.is(mirror && urlAt(mirror, 'https:', '/v2/x').href, 'https://mirror.example/hub/v2/x')
})

test('a name means what the settings say, with its tag and digest, and one that says its registry means that', () => {
  const settings = read({ shortNames: { app: 'registry.example/team/app' }, defaultRegistry: 'other.example:5000' })
  const resolve = (name: string) => formatReference(resolveName(name, settings))
  assert.is(resolve('app:1'), 'registry.example/team/app:1')
  assert.is(resolve(`app@sha256:${'a'.repeat(64)}`), `registry.example/team/app@sha256:${'a'.repeat(64)}`)
  assert.is(resolve('alpine:3'), 'other.example:5000/alpine:3')
  assert.is(resolve('team/app'), 'other.example:5000/team/app')
  assert.is(resolve('docker.io/library/alpine'), 'docker.io/library/alpine')
  assert.is(resolve('quay.example/x'), 'quay.example/x')
  assert.is(formatReference(resolveName('alpine', read({}))), 'docker.io/library/alpine')
})

for (const [settings, problem] of [
  ['{', /not JSON/],
  ['[]', /must be an object/],
  ['{"mirror":{}}', /no setting "mirror"/],
  ['{"insecureRegistries":["http://x"]}', /insecureRegistries/],
  ['{"insecureRegistries":"x:1"}', /insecureRegistries/],
  ['{"defaultRegistry":"x"}', /defaultRegistry/],
  ['{"shortNames":{"a":"b"}}', /shortNames\.a/],
  ['{"shortNames":{"a":"b.example/c:1"}}', /shortNames\.a/],
  ['{"mirrors":{"docker.io":["ftp://x"]}}', /ftp:/],
  ['{"mirrors":{"docker.io":["https://me:secret@x"]}}', /no http\(s\) URL/],
] as const)
  test(`settings that are none are named: ${settings}`, () => {
    assert.throws(
      () => parseConfiguration(settings, '/x/registries.json'),
      (error: unknown) => error instanceof EngineError && error.message.startsWith('/x/registries.json: ') && problem.test(error.message),
    )
  })

test.run()
