import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import * as assert from 'uvu/assert'
import { CommandLine, type Ended } from '../support/command-line.js'
import { DOCKER_REGISTRY, type RunningRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { LayoutBuilder, run, tarOf, writeFiles } from '../support/image-fixtures.js'
import { hostArchitecture, RegistryServer } from '../support/registry-server.js'
import { BUSYBOX, NATIVE, SKOPEO } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/registry')
const wolffia = new CommandLine()
const config = join(wolffia.folder, '.docker/config.json')

/** A docker-registry with `team/box:1` and `:2` (zstd), and `team/many` for two platforms; our user trusts it and has no password yet. */
async function withRegistry(body: (registry: RunningRegistry) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wolffia-registry-'))
  try {
    await using registry = await startDockerRegistry(folder)
    await wolffia.busybox()
    write(join(wolffia.folder, '.config/wolffia/certs.d', registry.host, 'ca.crt'), registry.identity.cert)
    const layout = join(folder, 'many')
    const builder = new LayoutBuilder()
    const images = [hostArchitecture(), 's390x'].map((architecture) => ({
      ...builder.image([tarOf({ architecture, of: registry.host })], { architecture }),
      platform: { os: 'linux', architecture },
    }))
    builder.name(builder.index(images), 'many')
    await writeFiles(layout, builder.files)
    const box = `oci:${wolffia.home}:docker.io/library/busybox:latest`
    await push(registry, box, 'team/box:1', '--dest-compress', '--dest-compress-format', 'gzip')
    await push(registry, box, 'team/box:2', '--dest-compress', '--dest-compress-format', 'zstd')
    await push(registry, `oci:${layout}:many`, 'team/many:latest', '--all')
    await body(registry)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function push({ host, username, password, certificates }: RunningRegistry, source: string, name: string, ...flags: string[]) {
  const access = ['--dest-creds', `${username}:${password}`, '--dest-cert-dir', certificates]
  await run('skopeo', '--insecure-policy', 'copy', ...access, ...flags, source, `docker://${host}/${name}`)
}

function failsWith({ code, stderr }: Ended, expected: number, message: RegExp): void {
  assert.is(code, expected, stderr)
  assert.match(stderr, message)
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
}

const login = ({ host, username, password }: RunningRegistry) =>
  wolffia.run(['login', '-u', username, '--password-stdin', host], { input: `${password}\n` })

const live = test.needs(...DOCKER_REGISTRY, SKOPEO, BUSYBOX, NATIVE)

live(
  'against docker-registry with TLS and a password: login, pull, run, build, logout',
  () =>
    withRegistry(async (registry) => {
      const { host, username } = registry
      const box = `${host}/team/box`

      failsWith(await wolffia.run(['pull', `${box}:1`]), 1, /access denied for .*box, repository does not exist or may require/)
      failsWith(await wolffia.run(['login', '-u', username, '--password-stdin', host], { input: 'wrong' }), 1, /does not let you in/)
      assert.not.ok(existsSync(config))

      write(config, '{"auths":{"other.example":{"auth":"YTpi"}},"HttpHeaders":{"x":"y"}}')
      const loggedIn = await login(registry)
      assert.is(loggedIn.stdout, 'Login Succeeded\n')
      assert.match(loggedIn.stderr, /WARNING! Your credentials are stored unencrypted/)
      assert.is(statSync(config).mode & 0o777, 0o600)
      const kept = JSON.parse(readFileSync(config, 'utf8'))
      assert.equal(kept.HttpHeaders, { x: 'y' })
      assert.equal(Object.keys(kept.auths), ['other.example', host])

      const pulled = await wolffia.output('pull', `${box}:1`)
      assert.match(pulled, /^1: Pulling from team\/box\n([0-9a-f]{12}: Pulling fs layer\n)+/)
      assert.match(pulled, /[0-9a-f]{12}: Download complete\n[\s\S]*[0-9a-f]{12}: Pull complete\n/)
      assert.match(pulled, new RegExp(`Digest: sha256:[0-9a-f]{64}\nStatus: Downloaded newer image for ${box}:1\n${box}:1\n$`))
      assert.match(await wolffia.output('pull', `${box}:1`), /Status: Image is up to date for/)
      assert.is(await wolffia.output('pull', '-q', `${box}:1`), `${box}:1\n`)
      assert.is(await wolffia.output('run', '--rm', `${box}:1`, 'echo', 'from gzip'), 'from gzip\n')

      const missing = await wolffia.run(['run', '--rm', `${box}:2`, 'echo', 'from zstd'])
      assert.equal([missing.code, missing.stdout], [0, 'from zstd\n'])
      assert.match(missing.stderr, new RegExp(`^Unable to find image '${box}:2' locally\n2: Pulling from team/box\n`))
      const always = await wolffia.run(['run', '--rm', '--pull', 'always', `${box}:2`, 'true'])
      assert.match(always.stderr, /^2: Pulling from team\/box\n[\s\S]*Image is up to date/)
      assert.is((await wolffia.run(['run', '--rm', '--pull', 'always', '-q', `${box}:2`, 'true'])).stderr, '')
      await wolffia.output('rmi', `${box}:2`)
      failsWith(await wolffia.run(['create', '--pull', 'never', `${box}:2`]), 1, /there is no image/)

      const dockerfile = `FROM ${box}:2\nLABEL built=yes\n`
      const built = await wolffia.run(['build', '-t', 'built', '-'], { input: dockerfile })
      assert.is(built.code, 0, built.stderr)
      assert.match(built.stderr, /2: Pulling from team\/box/)
      assert.match((await wolffia.run(['build', '--pull', '-'], { input: dockerfile })).stderr, /Image is up to date/)
      assert.is((await wolffia.run(['build', '-'], { input: dockerfile })).stderr, '')

      const many = `${host}/team/many`
      await wolffia.output('pull', many)
      assert.equal(await platformsOf(many), [`linux/${hostArchitecture()}`])
      await wolffia.output('pull', '--platform', 'linux/s390x', many)
      assert.is((await platformsOf(many)).length, 2)
      failsWith(await wolffia.run(['pull', '--platform', 'linux/riscv64', many]), 1, /it is for linux\/\w+, linux\/s390x/)
      await wolffia.output('rmi', many)
      await wolffia.output('pull', '--all-platforms', many)
      assert.is((await platformsOf(many)).length, 2)

      assert.match(await wolffia.output('pull', '-a', box), new RegExp(`\n${box}\n$`))
      const digest = /sha256:[0-9a-f]{64}/.exec(pulled)?.[0]
      await wolffia.output('pull', `${box}@${digest}`)
      assert.match(await wolffia.output('images', '--digests'), new RegExp(`${box} +<none> +${digest}`))

      assert.is(await wolffia.output('logout', host), `Removing login credentials for ${host}\n`)
      assert.is(await wolffia.output('logout', host), `Not logged in to ${host}\n`)
      assert.equal(Object.keys(JSON.parse(readFileSync(config, 'utf8')).auths), ['other.example'])
      failsWith(await wolffia.run(['pull', `${box}:3`]), 1, /access denied/)
    }),
  { timeoutMs: 240_000 },
)

async function platformsOf(name: string): Promise<readonly string[]> {
  return (await wolffia.output('images', '--format', '{{.Platform}}', name)).trim().split(', ')
}

const pushing = test.needs(...DOCKER_REGISTRY, SKOPEO, BUSYBOX, NATIVE)

pushing(
  'against docker-registry: what is pushed is what skopeo reads, and what comes back runs',
  () =>
    withRegistry(async (registry) => {
      const { host, username, password, certificates } = registry
      const inspect = (name: string) =>
        run('skopeo', 'inspect', '--raw', '--creds', `${username}:${password}`, '--cert-dir', certificates, `docker://${host}/${name}`)
      await wolffia.output('tag', 'busybox', `${host}/new/box`)
      failsWith(await wolffia.run(['push', `${host}/new/box`]), 1, /access denied for .*new\/box/)
      await login(registry)

      const pushed = await wolffia.output('push', `${host}/new/box`)
      assert.match(
        pushed,
        new RegExp(`^Using default tag: latest\nThe push refers to repository \\[${host}/new/box\\]\n([0-9a-f]{12}: Preparing\n)+`),
      )
      assert.match(pushed, /[0-9a-f]{12}: Pushed\nlatest: digest: sha256:[0-9a-f]{64} size: \d+\n$/)
      const manifest = await inspect('new/box')
      assert.match(manifest, 'tar+gzip')
      assert.is(pushed.match(/size: (\d+)/)?.[1], String(Buffer.byteLength(manifest)))
      const copy = join(wolffia.folder, 'copied')
      await run(
        ...(['skopeo', '--insecure-policy', 'copy', '--src-creds', `${username}:${password}`, '--src-cert-dir', certificates] as const),
        ...[`docker://${host}/new/box`, `oci:${copy}:box`],
      )
      assert.is(await wolffia.output('image', 'push', '-q', `${host}/new/box`), `${host}/new/box:latest\n`)
      assert.match(await wolffia.output('push', `${host}/new/box:latest`), /: Layer already exists\n/)
      await wolffia.output('tag', `${host}/new/box`, `${host}/moved/box:2`)
      assert.match(await wolffia.output('push', '-a', `${host}/moved/box`), /: Mounted from new\/box\n2: digest: /)
      await wolffia.output('rmi', `${host}/new/box`, `${host}/moved/box:2`)
      assert.is(await wolffia.output('run', '--rm', `${host}/moved/box:2`, 'echo', 'back'), 'back\n')

      await wolffia.output('pull', `${host}/team/many`)
      await wolffia.output('tag', `${host}/team/many`, `${host}/new/many`)
      const part = await wolffia.run(['push', `${host}/new/many`])
      assert.equal([part.code, part.stderr.includes('are left out: linux/s390x')], [0, true])
      assert.not.match(await inspect('new/many'), 'manifests')
      await wolffia.output('pull', '--all-platforms', `${host}/team/many`)
      await wolffia.output('push', '-q', `${host}/new/many`)
      assert.is(JSON.parse(await inspect('new/many')).manifests.length, 2)
    }),
  { timeoutMs: 240_000 },
)

test('^C ends a push at once, with nothing left', async () => {
  await using server = await RegistryServer.start()
  writeFileSync(join(wolffia.folder, 'small.tar'), tarOf({ file: 'x' }))
  await wolffia.output('import', 'small.tar', `${server.host}/small`)
  const began = new Promise<void>((resolve) => {
    server.rules.push(({ method }) => {
      if (method === 'PUT') resolve()
      return method === 'PUT'
    })
  })
  const child = wolffia.start(['push', `${server.host}/small`])
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  child.stdout.resume()
  await began
  child.kill('SIGINT')
  assert.is(await ended, 130)
  assert.equal(readdirSync(join(wolffia.home, 'ingest')), [])
})

test('^C ends a pull at once, with nothing left', async () => {
  await using server = await RegistryServer.start()
  server.repository('app').image([tarOf({ file: 'x' }), tarOf({ other: 'y' })], { tags: ['latest'] })
  const began = new Promise<void>((resolve) => {
    server.rules.push(({ path, response }) => {
      const isLayer = [...server.repository('app').blobs].some(([digest, { length }]) => path.endsWith(digest) && length % 512 === 0)
      if (!isLayer) return false
      response.writeHead(200).write('x', () => resolve())
      return true
    })
  })
  const child = wolffia.start(['pull', `${server.host}/app`])
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  child.stdout.resume()
  await began
  child.kill('SIGINT')
  assert.is(await ended, 130)
  assert.equal(readdirSync(join(wolffia.home, 'ingest')), [])
  assert.not.match(await wolffia.output('images'), server.host)
})

test('at a terminal each layer has a line that changes in its place', async () => {
  await using server = await RegistryServer.start()
  server.repository('app').image([tarOf({ file: 'x'.repeat(100_000) }), tarOf({ other: 'y' })], { tags: ['latest'] })
  const { code, stdout } = await wolffia.atTerminal(['pull', `${server.host}/app`], [])
  assert.is(code, 0)
  assert.match(stdout, 'Using default tag: latest')
  assert.match(stdout, /\u001b\[2A\r\u001b\[2K[0-9a-f]{12}: Downloading \[/)
  assert.is(stdout.match(/: Pull complete/g)?.length, 2)
})

test('nothing is left', () => wolffia.end())

test.run()
