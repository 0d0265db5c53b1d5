import type { Descriptor } from '../oci/descriptor.js'
import { familiarReference } from '../reference/normalize.js'
import { finish } from './answer.js'
import { assertStatus } from './refusal.js'
import { assertSameDigest, pushScope } from './sent.js'
import type { RegistrySession, Repository } from './session.js'

/** A manifest or index, and where it goes. */
export interface ManifestUpload {
  readonly repository: Repository
  readonly descriptor: Descriptor
  readonly bytes: Uint8Array
  /** The name it gets; its digest alone when there is none. */
  readonly tag?: string | undefined
  readonly signal: AbortSignal | undefined
}

/** Puts a manifest or index over what is there already (distribution-spec, "Pushing Manifests"). Rejects with ACCESS_DENIED, REGISTRY_FAILED, DIGEST_MISMATCH, ABORTED. */
export async function uploadManifest(session: RegistrySession, upload: ManifestUpload): Promise<void> {
  const { repository, descriptor, bytes, tag, signal } = upload
  const { mediaType, digest } = descriptor
  const name = `the manifest of ${familiarReference({ ...repository, ...(tag === undefined ? { digest } : { tag }) })}`
  const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) }
  const path = `/v2/${repository.path}/manifests/${tag ?? digest}`
  await session.persist(
    repository,
    signal,
    async (send) => (await send({ method: 'PUT', path, scope: pushScope(repository), headers, body: bytes, signal })).response,
    async (response) => {
      await assertStatus(response, [200, 201], { name, repository, isSent: true })
      assertSameDigest(response, digest, name, bytes)
      await finish(response)
    },
  )
}
