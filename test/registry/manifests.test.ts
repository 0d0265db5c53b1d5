import { randomBytes } from 'node:crypto'
import * as assert from 'uvu/assert'
import { imageManifests, type ManifestOptions } from '../../src/engine/image-manifests.js'
import { importImage } from '../../src/image/import.js'
import { MEDIA_TYPE } from '../../src/oci/media-type.js'
import { assertRejects, contentsOf, stream, tarOf } from '../support/image-fixtures.js'
import { hostArchitecture, RegistryServer, send, sha256 } from '../support/registry-server.js'
import { named, type RegistryUser, selfSigned, withUser } from '../support/registry-user.js'
import { program } from '../support/requirements.js'
import { suite } from '../support/suite.js'

const test = suite('registry/manifests')
const TAR = tarOf({ file: 'x' })

const look = (user: RegistryUser, name: string, options: ManifestOptions = {}) =>
  imageManifests(user.store, name, options, { environment: user.environment, patience: user.patience })

/** An index of two images, with what is neither. */
function withIndex(body: (user: RegistryUser, server: RegistryServer, digests: readonly string[]) => Promise<void>): Promise<void> {
  return withUser(async (user) => {
    await using server = await RegistryServer.start()
    const content = server.repository('app')
    const images = ['amd64', 's390x'].map((architecture) => ({
      ...content.image([TAR], { config: { architecture } }),
      platform: { os: 'linux', architecture },
    }))
    content.index([...images, { mediaType: 'application/x-other', digest: sha256(TAR), size: TAR.length }], 'latest')
    await body(
      user,
      server,
      images.map(({ digest }) => digest),
    )
  })
}

test('the document of a registry is shown as it is, and nothing is kept', () =>
  withIndex(async (user, server) => {
    const before = await contentsOf(user.store)
    const found = await look(user, `${server.host}/app`)
    const [line] = [...server.repository('app').manifests].filter(([name]) => name === 'latest')
    assert.equal(Buffer.from(found.bytes), Buffer.from(line?.[1].bytes ?? ''))
    assert.equal([found.reference, found.mediaType, found.manifests], [`${server.host}/app:latest`, MEDIA_TYPE.ociIndex, []])
    assert.equal(server.asked(/v2/), ['/v2/app/manifests/latest'])
    assert.equal(await contentsOf(user.store), before)
  }))

test('with each manifest of an index comes what it is for, and of one alone what its config says', () =>
  withIndex(async (user, server, digests) => {
    const { manifests } = await look(user, `${server.host}/app`, { verbose: true })
    assert.equal(
      manifests.map(({ reference, platform }) => [reference, platform?.architecture]),
      [
        [`${server.host}/app:latest@${digests[0]}`, 'amd64'],
        [`${server.host}/app:latest@${digests[1]}`, 's390x'],
      ],
    )
    const one = await look(user, `${server.host}/app@${digests[1]}`, { verbose: true })
    assert.equal(one.platform, { os: 'linux', architecture: 's390x' })
  }))

test('what is only here is shown with the reason, and so is an id', () =>
  withIndex(async (user, server) => {
    const { digest } = await importImage(user.store, stream(TAR), { reference: named(`${server.host}/mine`) })
    const found = await look(user, `${server.host}/mine`, { verbose: true })
    assert.is(found.digest, digest)
    assert.match(found.notFromRegistry ?? '', /not found in/)
    assert.equal(found.platform, { os: 'linux', architecture: hostArchitecture() })
    server.log.length = 0
    assert.is((await look(user, digest.slice(7, 19))).digest, digest)
    assert.equal(server.log, [])
    await assertRejects(look(user, `${server.host}/nosuch`), 'IMAGE_NOT_FOUND', /nosuch/)
  }))

test('of an image of which one platform is here only that one is shown', () =>
  withIndex(async (user, server, digests) => {
    await user.pull(`${server.host}/app`, { wish: { platform: { os: 'linux', architecture: 's390x' } } })
    const { host } = server
    await server[Symbol.asyncDispose]()
    const { manifests, notFromRegistry } = await look(user, `${host}/app`, { verbose: true })
    assert.equal(
      manifests.map(({ digest }) => digest),
      [digests[1]],
    )
    assert.match(notFromRegistry ?? '', /cannot reach/)
  }))

test('a config with other bytes than its digest says is refused', () =>
  withIndex(async (user, server, digests) => {
    server.rules.push(({ path, response }) => {
      if (!path.includes('/blobs/')) return false
      const size = [...server.repository('app').blobs].find(([digest]) => path.endsWith(digest))?.[1].length ?? 0
      send(response, 200, {}, randomBytes(size))
      return true
    })
    await assertRejects(look(user, `${server.host}/app@${digests[0]}`, { verbose: true }), 'DIGEST_MISMATCH')
  }))

test.needs(program('openssl', 'version'))('a certificate that is not trusted is taken with insecure alone', () =>
  withUser(async (user) => {
    await using server = await RegistryServer.start({ identity: await selfSigned(user.folder) })
    server.repository('app').image([TAR], { tags: ['latest'] })
    await assertRejects(look(user, `${server.host}/app`), 'REGISTRY_FAILED', /cannot reach/)
    assert.is((await look(user, `${server.host}/app`, { insecure: true })).mediaType, MEDIA_TYPE.ociManifest)
  }),
)

test.run()
