/**
 * Makes the sample images of this folder by the library's own image editing. Recipes that `wolffia build` will one day read as
 * Dockerfiles: each folder has the Dockerfile that says the same.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EngineError } from '../src/errors.js'
import { composeIndex, emptyImage, withContainerConfig, withFiles } from '../src/image/edit.js'
import type { Image } from '../src/image/image.js'
import { parseReference, withDefaultTag } from '../src/reference/normalize.js'
import type { Ingest } from '../src/store/ingest.js'
import { withName } from '../src/store/references.js'
import { Store } from '../src/store/store.js'
import { python } from './python/recipe.js'
import type { Prepared, Recipe, RecipePart } from './recipe.js'
import { thief } from './thief/recipe.js'

export { compileThief } from './thief/compile.js'
export { type Attempt, type Outcome, parseThiefReport, type ThiefReport } from './thief/report.js'

const RECIPES = { thief, python } as const satisfies Record<string, Recipe>
const FINGERPRINT_LABEL = 'wolffia.recipe'

/** Names of the images that can be made. */
export type SampleImage = keyof typeof RECIPES

/** What became of one image. */
export interface MadeImage {
  readonly name: SampleImage
  /** `made`; `current`, when it was there already; `impossible` here, with the reasons in `missing`. */
  readonly state: 'made' | 'current' | 'impossible'
  /** A sentence for each platform that could not be made. */
  readonly missing: readonly string[]
}

/** The part of an engine that is used here. */
export interface ImageHolder {
  readonly home: string
  readonly images: {
    inspect(reference: string): Promise<{ readonly process: { readonly labels: Readonly<Record<string, string>> } }>
  }
}

/**
 * Makes images that are missing or older than their recipe, in the engine's own store.
 * Rejects with CONFLICT when the name belongs to an image that was not made here.
 */
export async function makeImages(engine: ImageHolder, names: readonly SampleImage[]): Promise<readonly MadeImage[]> {
  const made: MadeImage[] = []
  for (const name of names) made.push(await makeImage(engine, name))
  return made
}

async function makeImage(engine: ImageHolder, name: SampleImage): Promise<MadeImage> {
  const directory = await mkdtemp(join(tmpdir(), 'wolffia-images-'))
  try {
    const present = await fingerprintOf(engine, name)
    const prepared = await RECIPES[name].prepare(directory)
    const { missing } = prepared
    if (prepared.parts.length === 0) return { name, state: present === null ? 'impossible' : 'current', missing }
    if (present === prepared.fingerprint) return { name, state: 'current', missing }
    await write(await Store.open({ root: engine.home }), name, prepared)
    return { name, state: 'made', missing }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** The recipe's fingerprint in the image of that name, null when there is no such image. */
async function fingerprintOf(engine: ImageHolder, name: string): Promise<string | null> {
  try {
    const fingerprint = (await engine.images.inspect(name)).process.labels[FINGERPRINT_LABEL]
    if (fingerprint !== undefined) return fingerprint
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'IMAGE_NOT_FOUND') return null
    throw error
  }
  throw new EngineError('CONFLICT', `there is an image ${name} that is not the sample of that name`, {
    hint: `Give it another name: wolffia tag ${name} my-${name}, then wolffia rmi ${name}.`,
  })
}

async function write(store: Store, name: string, { parts, fingerprint }: Prepared): Promise<void> {
  await using ingest = await store.ingest()
  const images: Image[] = []
  for (const part of parts) images.push(await writePart(ingest, part, fingerprint))
  const [first] = images
  if (first === undefined) return
  const descriptor = images.length === 1 ? first.descriptor : await composeIndex(ingest, images)
  await ingest.commit((present) => withName(present, withDefaultTag(parseReference(name)), descriptor))
}

async function writePart(ingest: Ingest, { platform, files, config }: RecipePart, fingerprint: string): Promise<Image> {
  const step = { created: new Date().toISOString(), created_by: 'wolffia images/make' }
  const image = await withFiles(ingest, await emptyImage(ingest, platform), files, step)
  return withContainerConfig(ingest, image, { ...config, Labels: { ...config.Labels, [FINGERPRINT_LABEL]: fingerprint } }, step)
}
