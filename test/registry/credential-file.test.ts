import { lstat, readdir, readFile, stat, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { CredentialFile } from '../../src/registry/credential-file.js'
import { CredentialHelper } from '../../src/registry/credential-helper.js'
import { registryName } from '../../src/registry/login.js'
import { assertRejects } from '../support/image-fixtures.js'
import { withUser } from '../support/registry-user.js'
import { suite } from '../support/suite.js'

const test = suite('registry/credential-file')
const pair = (text: string) => ({ auth: Buffer.from(text).toString('base64') })
const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret })

/** A helper that keeps what it is told in a file beside it. */
const HELPER = `#!/bin/sh
case $1 in
  store) cat >"$HOME/kept" ;;
  get) read -r server; if [ "$server" = keyed.example ]; then echo '{"Username":"<token>","Secret":"refresh"}'
    elif [ -s "$HOME/kept" ]; then cat "$HOME/kept"; else echo 'credentials not found in native keychain'; exit 1; fi ;;
  erase) : >"$HOME/kept" ;;
esac
`

test('docker, older dockers and podman write keys of their own, and all are found', () =>
  withUser(async (user) => {
    const auths = {
      'https://index.docker.io/v1/': pair('hub:1'),
      'https://old.example/v1/': pair('old:2'),
      'part.example/team': pair('team:3'),
      'part.example': pair('all:4'),
      'plain.example': { username: 'plain', password: '5:5' },
      'token.example': { identitytoken: 'refresh' },
    }
    await user.write('.docker/config.json', { auths })
    const file = new CredentialFile(user.environment)
    assert.equal(await file.find('docker.io', 'library/alpine'), password('hub', '1'))
    assert.equal(await file.find('old.example', 'x'), password('old', '2'))
    assert.equal(await file.find('part.example', 'team/app'), password('team', '3'))
    assert.equal(await file.find('part.example', 'teams/app'), password('all', '4'))
    assert.equal(await file.find('plain.example', 'x'), password('plain', '5:5'))
    assert.equal(await file.find('token.example', 'x'), { kind: 'identity-token', token: 'refresh' })
    assert.is(await file.find('example', 'x'), null)
    assert.is(await file.find('evil-docker.io', 'x'), null)
  }))

test('REGISTRY_AUTH_FILE goes before DOCKER_CONFIG, and that before the home', () =>
  withUser(async (user) => {
    const { environment, folder } = user
    assert.is(new CredentialFile(environment).path, join(folder, '.docker/config.json'))
    assert.is(new CredentialFile({ ...environment, DOCKER_CONFIG: '/d' }).path, '/d/config.json')
    assert.is(new CredentialFile({ ...environment, DOCKER_CONFIG: '/d', REGISTRY_AUTH_FILE: '/a.json' }).path, '/a.json')
  }))

test('a saved password stands in a file for its owner alone, beside all that was there, where a link leads', () =>
  withUser(async (user) => {
    await user.write('dotfiles/docker.json', '{"credHelpers":{"x.example":"y"},"auths":{"a.example":{"auth":"YTpi"}}}', 0o644)
    await user.write('.docker/keep', '')
    await symlink(join(user.folder, 'dotfiles/docker.json'), join(user.folder, '.docker/config.json'))
    const file = new CredentialFile(user.environment)
    assert.equal(await file.save('docker.io', 'me', 'sécret'), { helper: null, path: file.path })
    assert.is((await lstat(file.path)).isSymbolicLink(), true)
    assert.is((await stat(file.path)).mode & 0o777, 0o600)
    const { auths, credHelpers } = JSON.parse(await readFile(file.path, 'utf8'))
    assert.equal(credHelpers, { 'x.example': 'y' })
    assert.equal(Object.keys(auths), ['a.example', 'https://index.docker.io/v1/'])
    assert.equal(await file.find('docker.io', 'x'), password('me', 'sécret'))
    assert.is(await file.erase('docker.io'), true)
    assert.is(await file.erase('docker.io'), false)
  }))

test('a helper that the file names keeps the password, and the file does not', () =>
  withUser(async (user) => {
    await user.write('bin/docker-credential-test', HELPER, 0o755)
    await user.write('.docker/config.json', { credsStore: 'test' })
    const file = new CredentialFile(user.environment)
    assert.is(await file.find('some.example', 'x'), null)
    assert.is((await file.save('some.example', 'me', 'secret')).helper, 'test')
    assert.equal(await file.find('some.example', 'x'), password('me', 'secret'))
    assert.not.match(await readFile(file.path, 'utf8'), 'secret')
    assert.equal(await file.find('keyed.example', 'x'), { kind: 'identity-token', token: 'refresh' })
    assert.is(await file.erase('some.example'), true)
    assert.is(await file.find('some.example', 'x'), null)
  }))

test('a helper that is not there, and one whose name is a path, are named', () =>
  withUser(async (user) => {
    const find = () => new CredentialFile(user.environment).find('some.example', 'x')
    await user.write('.docker/config.json', { credsStore: 'nosuch' })
    await assertRejects(find(), 'ACCESS_DENIED', /cannot run docker-credential-nosuch/)
    await user.write('.docker/config.json', { credHelpers: { 'some.example': '../../bin/sh' } })
    await assertRejects(find(), 'INVALID_ARGUMENT', /no name of a credential helper/)
  }))

test('of many logins and logouts at once none is lost, and no lock is left', () =>
  withUser(async ({ environment, folder }) => {
    const file = new CredentialFile(environment)
    await file.save('gone.example', 'me', 'secret')
    const names = Array.from({ length: 12 }, (_, at) => `registry${at}.example`)
    await Promise.all([...names.map((name) => file.save(name, 'me', name)), file.erase('gone.example')])
    for (const name of names) assert.equal(await file.find(name, 'app'), password('me', name))
    assert.is(await file.find('gone.example', 'app'), null)
    assert.equal(await readdir(join(folder, '.docker')), ['config.json'])
  }))

test('a helper that never ends, or says too much, is given up', () =>
  withUser(async (user) => {
    const { environment } = user
    // What it has started keeps its output open.
    await user.write('bin/docker-credential-slow', '#!/bin/sh\nsleep 5 &\nexec sleep 600\n', 0o755)
    await user.write('bin/docker-credential-loud', '#!/bin/sh\nexec yes\n', 0o755)
    await assertRejects(new CredentialHelper('slow', environment, 300).get('a.example'), 'ACCESS_DENIED', /did not end within 0.3 s/)
    await assertRejects(new CredentialHelper('loud', environment).get('a.example'), 'ACCESS_DENIED', /more than 65536 characters/)
  }))

test('a file that is no JSON is named, and nothing that stands in it', () =>
  withUser(async (user) => {
    await user.write('.docker/config.json', '{"auths": {"x": {"auth": "c2VjcmV0"')
    const { message } = await assertRejects(new CredentialFile(user.environment).find('x', 'x'), 'INVALID_ARGUMENT', /is no JSON object/)
    assert.not.match(message, 'c2VjcmV0')
    await assertRejects(new CredentialFile(user.environment).save('x', 'a', 'b'), 'INVALID_ARGUMENT')
  }))

test('a registry is meant by its host, by a URL, and docker.io by docker’s own', async () => {
  for (const [typed, name] of [
    ['docker.io', 'docker.io'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['', 'docker.io'],
    ['https://registry.example/', 'registry.example'],
    ['localhost:5000', 'localhost:5000'],
    ['[::1]:5000', '[::1]:5000'],
  ] as const)
    assert.is(registryName(typed), name)
  for (const typed of ['registry', 'registry.example/team', '../x', 'a b.example'])
    await assertRejects((async () => registryName(typed))(), 'INVALID_ARGUMENT', /is no registry/)
})

test.run()
