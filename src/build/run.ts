/** RUN: a container of the image so far behind the native wall, whose writable layer becomes the next layer. */
import type { Readable } from 'node:stream'
import type { CreatedContainer } from '../container/container.js'
import { createContainer, type ImageForContainer, type Workshop } from '../container/create.js'
import { ImageRootfs } from '../container/rootfs.js'
import { afterCleanUp, EngineError } from '../errors.js'
import { type Step, withLayer } from '../image/edit.js'
import type { Image } from '../image/image.js'
import { hostPlatform } from '../image/platform-select.js'
import { chooseIdMap } from '../launcher/id-map.js'
import { packTar } from '../layer/pack.js'
import { keptUpper, MOUNT_POINTS } from '../native/kept-upper.js'
import { formatPlatform, type Platform, platformMatches } from '../oci/platform.js'
import { readUpper } from '../rootfs/upper-layer.js'
import type { Limits } from '../runtime/limits.js'
import type { ResourceSpec } from '../runtime/resources.js'
import type { Ingest } from '../store/ingest.js'
import type { StoredLayer } from '../store/layer-store.js'
import type { BuildEvent } from './progress.js'

/** What a RUN stands on. */
export interface RunParts {
  readonly ingest: Ingest
  readonly workshop: Workshop
  readonly report: (event: BuildEvent) => void
  readonly signal: AbortSignal | undefined
}

/** What the containers of a build may have at most. */
export interface RunBounds {
  readonly network: 'none' | 'host'
  readonly limits: Limits
  readonly resources: ResourceSpec
}

/** One RUN, with everything in it known. */
export interface RunRequest {
  readonly image: Image
  readonly platform: Platform
  readonly words: readonly string[]
  /** As the Dockerfile's user wrote it, for the message of a failure. */
  readonly shown: string
  /** Over the image's own. */
  readonly env: Readonly<Record<string, string>>
  readonly bounds: RunBounds
  readonly step: Step
}

/** The image with what the command changed. Rejects with BUILD_FAILED when it ends with anything but 0, and `data.exitCode` says how. */
export async function runCommand({ ingest, workshop, report, signal }: RunParts, request: RunRequest): Promise<Image> {
  const { image, platform } = request
  if (!platformMatches(hostPlatform(), platform))
    throw new EngineError(
      'NOT_BUILT',
      `RUN works in images for ${formatPlatform(hostPlatform())} only; this one is for ${formatPlatform(platform)}`,
      {
        hint: 'COPY what the command would make, or build on a machine of that kind.',
      },
    )
  const found: ImageForContainer = { id: image.descriptor.digest, platform, image }
  const container = await createContainer(workshop, found, {
    image: 'the image so far',
    entrypoint: request.words,
    env: request.env,
    ...request.bounds,
    runtime: 'native',
    labels: { 'wolffia.build': request.shown.slice(0, 200) },
    ...(signal === undefined ? {} : { signal }),
  })
  const remove = async () => {
    await container.remove({ force: true })
    report({ event: 'removed', container: container.id.slice(0, 12) })
  }
  let next: Image
  try {
    await runToEnd(container, request, { report, signal })
    next = await withUpper(container, request, { ingest, workshop })
  } catch (error) {
    throw await afterCleanUp(error, remove)
  }
  await remove()
  return next
}

async function runToEnd(
  container: CreatedContainer,
  { shown }: RunRequest,
  { report, signal }: Pick<RunParts, 'report' | 'signal'>,
): Promise<void> {
  report({ event: 'running', container: container.id.slice(0, 12) })
  const output = [follow(container.stdout, 'stdout', report), follow(container.stderr, 'stderr', report)]
  await container.start()
  // The wall hears the signal as long as the guest lives.
  const { exitCode } = await container.wait()
  await Promise.all(output)
  if (signal?.aborted) throw new EngineError('ABORTED', 'stopped before it was finished', { cause: signal.reason })
  if (exitCode !== 0)
    throw new EngineError('BUILD_FAILED', `The command '${shown}' returned a non-zero code: ${exitCode}`, { data: { exitCode } })
}

async function withUpper(
  container: CreatedContainer,
  { image, step }: RunRequest,
  { ingest, workshop }: Pick<RunParts, 'ingest' | 'workshop'>,
): Promise<Image> {
  const layers: StoredLayer[] = []
  for (const layer of await image.layers()) layers.push(await workshop.layers.ensure(layer))
  const lower = new ImageRootfs(layers)
  try {
    const upper = await readUpper({
      idMap: chooseIdMap().map,
      directory: keptUpper(workshop.state.directoryOf(container.id)),
      lower: lower.tree(),
      spoolPath: ingest.temporaryPath(),
      mountPoints: [...MOUNT_POINTS, container.spec.process.cwd],
    })
    try {
      return await withLayer(ingest, image, packTar(upper.entries()), step)
    } finally {
      upper.close()
    }
  } finally {
    lower.close()
  }
}

async function follow(from: Readable | null, stream: 'stdout' | 'stderr', report: RunParts['report']): Promise<void> {
  if (from !== null) for await (const bytes of from) report({ event: 'output', stream, bytes: bytes as Uint8Array })
}
