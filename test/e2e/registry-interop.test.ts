/** Against Debian's docker-registry, beside its other users: what wolffia pushes skopeo, podman and buildah read, and the other way round. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import * as assert from 'uvu/assert'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { CommandLine } from '../support/command-line.js'
import { DOCKER_REGISTRY, type RunningRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { LayoutBuilder, run, tarOf, writeFiles } from '../support/image-fixtures.js'
import { hostArchitecture, sha256 } from '../support/registry-server.js'
import { BUSYBOX, NATIVE, program, SKOPEO, WASM } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('e2e/registry interop')
const wolffia = new CommandLine()
const live = test.needs(...DOCKER_REGISTRY, SKOPEO, NATIVE, BUSYBOX)
const withPeers = test.needs(...DOCKER_REGISTRY, SKOPEO, NATIVE, BUSYBOX, program('buildah'), program('podman'))
const LONG = { timeoutMs: 240_000 }

/** Other programs at the registry, with storage below `folder` and wolffia's registry credentials given by hand. */
interface Peers {
  readonly folder: string
  readonly registry: RunningRegistry
  skopeo(...words: string[]): Promise<string>
  /** Words that go before a command of podman or buildah. */
  storage(): readonly string[]
  /** Words that go behind `pull` and `push`. */
  access(): readonly string[]
}

let registry: RunningRegistry | undefined
let folder = ''

/** One registry for all tests of this file, with a user who has logged in. */
async function peers(): Promise<Peers> {
  if (registry === undefined) {
    folder = await mkdtemp(join(tmpdir(), 'wolffia-interop-'))
    registry = await startDockerRegistry(folder)
    const { host, identity, username, password } = registry
    const trusted = join(wolffia.folder, '.config/wolffia/certs.d', host, 'ca.crt')
    mkdirSync(dirname(trusted), { recursive: true })
    writeFileSync(trusted, identity.cert)
    assert.is((await wolffia.run(['login', '-u', username, '--password-stdin', host], { input: password })).code, 0)
    await wolffia.busybox()
  }
  const running = registry
  const { username, password, certificates } = running
  const access = ['--creds', `${username}:${password}`, '--cert-dir', certificates]
  return {
    folder,
    registry: running,
    skopeo: (command = '', ...words) => run('skopeo', '--insecure-policy', command, ...access, ...words),
    storage: () => ['--root', join(folder, 'storage/root'), '--runroot', join(folder, 'storage/run'), '--storage-driver', 'vfs'],
    access: () => access,
  }
}

withPeers(
  'buildah and podman pull what wolffia pushes, and wolffia runs what they push, in both formats',
  async () => {
    const { registry: running, storage, access } = await peers()
    const { host } = running
    const buildah = (command: string, ...words: string[]) => run('buildah', ...storage(), command, ...words)
    const podman = (command: string, ...words: string[]) =>
      run('podman', ...storage(), '--tmpdir', join(folder, 'storage/tmp'), '--events-backend', 'none', command, ...words)
    await wolffia.output('tag', 'busybox', `${host}/ours/box:1`)
    await wolffia.output('push', '-q', `${host}/ours/box:1`)
    const id = /"Digest": "(sha256:[0-9a-f]+)"/.exec(await run('skopeo', 'inspect', ...access(), `docker://${host}/ours/box:1`))?.[1]
    await buildah('pull', ...access(), `docker://${host}/ours/box:1`)
    assert.match(await buildah('images', '--digests'), id ?? 'no digest')
    await podman('pull', '-q', ...access(), `docker://${host}/ours/box@${id}`)
    assert.match(await podman('image', 'inspect', '--format', '{{.Architecture}}', `${host}/ours/box:1`), hostArchitecture())

    const container = (await buildah('from', `${host}/ours/box:1`)).trim()
    writeFileSync(join(folder, 'told'), 'by buildah\n')
    await buildah('copy', container, join(folder, 'told'), '/told')
    for (const format of ['oci', 'docker']) {
      await buildah('commit', '-q', '--format', format, container, `theirs-${format}`)
      await buildah('push', '-q', ...access(), `theirs-${format}`, `docker://${host}/theirs/box:${format}`)
      assert.is(await wolffia.output('run', '--rm', '-q', `${host}/theirs/box:${format}`, 'cat', '/told'), 'by buildah\n')
    }
    await podman('push', '-q', ...access(), 'theirs-oci', `docker://${host}/theirs/box:podman`)
    assert.is(await wolffia.output('run', '--rm', '-q', `${host}/theirs/box:podman`, 'cat', '/told'), 'by buildah\n')
    await run('buildah', 'unshare', 'rm', '-rf', join(folder, 'storage'))
  },
  LONG,
)

live(
  'an index, and layers of all compressions, go to a registry and come back with their digests',
  async () => {
    const { registry: running, skopeo } = await peers()
    const { host } = running
    const layout = join(folder, 'many')
    const builder = new LayoutBuilder()
    const images = [hostArchitecture(), 's390x'].map((architecture) => ({
      ...builder.image([tarOf({ architecture, of: 'many' })], { architecture }),
      platform: { os: 'linux', architecture },
    }))
    builder.name(builder.index(images), 'many')
    await writeFiles(layout, builder.files)
    for (const compression of ['gzip', 'zstd']) {
      const name = `${host}/many/${compression}`
      const format = ['--dest-compress', '--dest-compress-format', compression]
      const { username, password, certificates } = running
      const credentials = ['--dest-creds', `${username}:${password}`, '--dest-cert-dir', certificates]
      await run('skopeo', '--insecure-policy', 'copy', '--all', ...format, ...credentials, `oci:${layout}:many`, `docker://${name}`)
      await wolffia.output('pull', '-q', '--all-platforms', name)
      await wolffia.output('tag', name, `${host}/copied/${compression}:1`)
      await wolffia.output('push', '-q', `${host}/copied/${compression}:1`)
      assert.is(
        await skopeo('inspect', '--raw', `docker://${host}/copied/${compression}:1`),
        await skopeo('inspect', '--raw', `docker://${name}`),
      )
    }
    const verbose = JSON.parse(await wolffia.output('manifest', 'inspect', '-v', `${host}/many/zstd`)) as {
      Descriptor: { platform: object }
    }[]
    assert.equal(
      verbose.map(({ Descriptor }) => Descriptor.platform),
      [
        { os: 'linux', architecture: hostArchitecture() },
        { os: 'linux', architecture: 's390x' },
      ],
    )
    const raw = JSON.parse(await wolffia.output('manifest', 'inspect', `${host}/many/zstd`))
    assert.equal(raw, JSON.parse(await skopeo('inspect', '--raw', `docker://${host}/many/zstd`)))
  },
  LONG,
)

test.needs(
  ...DOCKER_REGISTRY,
  SKOPEO,
  NATIVE,
  BUSYBOX,
  WASM,
)(
  'a wasi/wasm image and a Wasm artifact go to a registry, and come back to be run',
  async () => {
    const { registry: running, skopeo } = await peers()
    const { host } = running
    const path = resolve('dist/wasm/probe.wasm')
    await wolffia.output('import', path, `${host}/wasm/image:1`)
    const module = readFileSync(path)
    const builder = new LayoutBuilder()
    const layer = builder.blob(module, MEDIA_TYPE.wasmLayer)
    const config = builder.blob({ os: 'wasip1', architecture: 'wasm', layerDigests: [sha256(module)] }, MEDIA_TYPE.wasmConfig)
    builder.name(builder.manifest(config, [layer]), `${host}/wasm/artifact:1`)
    await writeFiles(join(folder, 'artifact'), builder.files)
    await wolffia.output('load', '-q', '-i', join(folder, 'artifact'))
    for (const name of [`${host}/wasm/image:1`, `${host}/wasm/artifact:1`]) {
      const [local] = (await wolffia.output('images', '-q', '--no-trunc', name)).split('\n')
      await wolffia.output('push', '-q', name)
      await wolffia.output('rmi', name)
      assert.is((await wolffia.run(['run', '--rm', '-q', name, 'exit', '7'])).code, 7)
      if (name.includes('artifact')) assert.is(sha256(Buffer.from(await skopeo('inspect', '--raw', `docker://${name}`))), local)
    }
    assert.match(await skopeo('inspect', '--raw', `docker://${host}/wasm/artifact:1`), MEDIA_TYPE.wasmConfig)
  },
  LONG,
)

live(
  'docker-registry is searched through its list, and what a build makes goes straight to it',
  async () => {
    const { registry: running } = await peers()
    const { host } = running
    const dockerfile = 'FROM busybox\nLABEL a=b\n'
    assert.match((await wolffia.run(['build', '--push', '-'], { input: dockerfile })).stderr, /tag is needed when pushing/)
    const names = [`${host}/built/app:1`, `${host}/built/app:2`]
    const built = await wolffia.run(['build', '--push', '-t', names[0] ?? '', '-t', names[1] ?? '', '-'], { input: dockerfile })
    assert.is(built.code, 0, built.stderr)
    assert.match(
      built.stdout,
      /Successfully tagged .*app:2\nThe push refers to repository \[.*built\/app\]\n[\s\S]*1: digest: sha256[\s\S]*\n2: digest: sha256/,
    )
    assert.is(
      await wolffia.output('search', `${host}/built`),
      `${'NAME'.padEnd(host.length + 13)}DESCRIPTION   STARS     OFFICIAL\n${`${host}/built/app`.padEnd(host.length + 27)}0\n`,
    )
    assert.is(await wolffia.output('search', '--format', '{{.Name}} {{.Index}}', `${host}/nosuch`), '')
    const tags = await wolffia.output('search', '--list-tags', '--format', '{{.Tag}}', `${host}/built/app`)
    assert.equal(tags.split('\n').sort(), ['', '1', '2'], 'in the order of the registry, which is none')
    assert.match(await wolffia.output('search', '--list-tags', '--limit', '1', '--format', '{{.Tag}}', `${host}/built/app`), /^[12]\n$/)
    const wrong = await wolffia.run(['search', '--list-tags', '--filter', 'stars=1', `${host}/built/app`])
    assert.match(wrong.stderr, /filters are not applicable/)
  },
  LONG,
)

test('nothing is left', async () => {
  await registry?.[Symbol.asyncDispose]()
  if (folder !== '') await rm(folder, { recursive: true, force: true })
  await wolffia.end()
})

test.run()
